package analyze

import (
	"cmp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// subject is one role of one role id with all the evidence about it.
type subject struct {
	key snapshot.RoleKey
	// role is IAM's record, nil for a role that IAM does not have or that could
	// not be read.
	role *snapshot.Role
	// gone: IAM was read, and does not have it. former: another role of the same
	// name has taken its place.
	gone, former bool

	jobs []*snapshot.Job
	// usage is what the role's own sessions did; mentions are calls of others that
	// name the role (CreateTrainingJob, AssumeRole).
	usage    []*snapshot.Usage
	mentions []*snapshot.Usage
	// changes are calls that changed what the role is granted.
	changes []*snapshot.Usage
}

// subjects groups jobs and events by the role, and the incarnation of the role,
// that they belong to. A role that was deleted and re-created keeps its name
// and ARN, not its id: what happened before the present role's creation belongs
// to the former one.
func subjects(s *snapshot.Snapshot) []*subject {
	present := map[string]*subject{}
	byName, byPolicy := map[string]*subject{}, map[string][]*subject{}
	former := map[string]*subject{}
	var out []*subject
	for i := range s.Roles {
		r := &s.Roles[i]
		sub := &subject{key: r.RoleKey, role: r}
		present[r.ARN] = sub
		byName[r.Name] = sub // IAM's names are unique in an account, whatever the path
		for _, p := range r.Attached {
			byPolicy[p.ARN] = append(byPolicy[p.ARN], sub)
		}
		if r.Boundary != "" {
			byPolicy[r.Boundary] = append(byPolicy[r.Boundary], sub)
		}
		out = append(out, sub)
	}
	absent := func(arn string) *subject {
		if sub := present[arn]; sub != nil {
			return sub
		}
		sub := &subject{key: snapshot.RoleKey{ARN: arn}, gone: !unread(s, arn)}
		present[arn] = sub
		out = append(out, sub)
		return sub
	}
	earlier := func(sub *subject, id string) *subject {
		f := former[sub.key.ARN]
		if f == nil {
			f = &subject{key: snapshot.RoleKey{ARN: sub.key.ARN, ID: id}, gone: true, former: true}
			former[sub.key.ARN] = f
			out = append(out, f)
		}
		f.key.ID = cmp.Or(f.key.ID, id)
		return f
	}
	for i := range s.Jobs {
		j := &s.Jobs[i]
		if j.RoleARN == "" || !selected(s, j.RoleARN) {
			continue
		}
		sub := absent(j.RoleARN)
		if sub.role != nil && !j.CreatedAt.IsZero() && j.CreatedAt.Before(sub.role.CreatedAt) {
			sub = earlier(sub, "")
		}
		sub.jobs = append(sub.jobs, j)
	}
	for i := range s.Usage {
		u := &s.Usage[i]
		if sub := present[u.Role.ARN]; sub != nil {
			switch {
			case sub.role == nil:
				sub.key.ID = cmp.Or(sub.key.ID, u.Role.ID)
			case u.Role.ID != "" && u.Role.ID != sub.key.ID:
				sub = earlier(sub, u.Role.ID)
			}
			sub.usage = append(sub.usage, u)
		}
		if u.ChangesGrant() && u.ErrorCode == "" {
			changed := byPolicy[u.Params.PolicyARN]
			if sub := byName[u.Params.RoleName]; sub != nil {
				changed = []*subject{sub}
			}
			for _, sub := range changed {
				if !u.First.Before(sub.role.CreatedAt) {
					sub.changes = append(sub.changes, u)
				}
			}
		}
		arn := u.Params.PassedRole()
		if arn == "" || arn == u.Role.ARN {
			continue
		}
		if sub := present[arn]; sub != nil || (createsJob(u) && selected(s, arn)) {
			sub = absent(arn)
			if sub.role != nil && u.Last.Before(sub.role.CreatedAt) {
				sub = earlier(sub, "")
			}
			sub.mentions = append(sub.mentions, u)
		}
	}
	slices.SortFunc(out, func(a, b *subject) int {
		return cmp.Or(cmp.Compare(a.key.ARN, b.key.ARN), cmp.Compare(a.key.ID, b.key.ID))
	})
	return out
}

// selected reports whether the run was asked for the role.
func selected(s *snapshot.Snapshot, arn string) bool {
	return len(s.Asked.Roles) == 0 || fits(s.Asked.Roles, arn)
}

// fits reports whether one of the selectors names the role.
func fits(selectors []string, arn string) bool {
	return slices.ContainsFunc(selectors, func(sel string) bool { return snapshot.MatchRole(sel, arn) })
}

// unread reports whether IAM could not be asked about the role, so that its
// absence from the snapshot proves nothing: it is another account's, or a gap
// names it, or roles that it does not name one by one.
func unread(s *snapshot.Snapshot, arn string) bool {
	return accountOf(arn) != s.Account.ID || slices.ContainsFunc(s.Gaps, func(g snapshot.Gap) bool {
		if g.Impact != snapshot.ImpactRoles || g.Reason == snapshot.ReasonMissing {
			return false
		}
		oneRole := strings.HasPrefix(g.Scope, "arn:") || g.Source == "iam:GetRole" && !strings.ContainsRune(g.Scope, ' ')
		return !oneRole && g.Source != "iam:ListRoles" || g.Scope == arn || g.Scope == nameOf(arn)
	})
}

// createsJob: the calls that hand an execution role to a training job.
func createsJob(u *snapshot.Usage) bool {
	return u.EventSource == "sagemaker.amazonaws.com" &&
		(u.EventName == "CreateTrainingJob" || u.EventName == "CreateHyperParameterTuningJob")
}
