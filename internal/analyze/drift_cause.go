package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// changeTrail is what CloudTrail has of the changes between the two snapshots: the
// events of the later one since the earlier one was taken.
type changeTrail struct {
	since    time.Time
	byRole   map[string][]*snapshot.Usage
	byPolicy map[string][]*snapshot.Usage
	// lacking is why there may be changes without an event, empty where the history was
	// read whole.
	lacking string
	until   time.Time
}

func newChangeTrail(c *comparison) *changeTrail {
	s := c.newer.Snapshot
	t := &changeTrail{since: c.older.TakenAt, until: s.Window.To, byRole: map[string][]*snapshot.Usage{}, byPolicy: map[string][]*snapshot.Usage{}}
	t.lacking = c.newer.observer().whyBlindAtHome()
	if t.lacking == "" && s.Window.From.After(t.since) {
		t.lacking = "the window of usage begins after the earlier snapshot was taken"
	}
	for i := range s.Usage {
		u := &s.Usage[i]
		if !u.ChangesGrant() || u.ErrorCode != "" || u.Last.Before(t.since) {
			continue
		}
		if u.Params.RoleName != "" {
			t.byRole[u.Params.RoleName] = append(t.byRole[u.Params.RoleName], u)
		} else {
			t.byPolicy[u.Params.PolicyARN] = append(t.byPolicy[u.Params.PolicyARN], u)
		}
	}
	return t
}

// causes are the calls that bring a kind of change about.
// Source: IAM API reference.
func causes(kind report.ChangeKind, subjectKind string) []string {
	inline := subjectKind == report.SubjectInline
	switch kind {
	case report.RoleCreated, report.RoleRecreated:
		return []string{"CreateRole", "CreateServiceLinkedRole"}
	case report.RoleDeleted:
		return []string{"DeleteRole", "DeleteServiceLinkedRole"}
	case report.PolicyAttached:
		if inline {
			return []string{"PutRolePolicy"}
		}
		return []string{"AttachRolePolicy"}
	case report.PolicyDetached:
		if inline {
			return []string{"DeleteRolePolicy"}
		}
		return []string{"DetachRolePolicy"}
	case report.PolicyEdited:
		if inline {
			return []string{"PutRolePolicy"}
		}
		return []string{"CreatePolicyVersion", "SetDefaultPolicyVersion"}
	case report.BoundarySet, report.BoundaryChanged:
		return []string{"PutRolePermissionsBoundary"}
	case report.BoundaryRemoved:
		return []string{"DeleteRolePermissionsBoundary"}
	case report.TrustWidened, report.TrustNarrowed, report.TrustChanged:
		return []string{"UpdateAssumeRolePolicy"}
	}
	return nil
}

// by finds who made a change, the latest where there are several, and the cause in
// words. kind is the change as time went. role or policyARN may be empty.
func (t *changeTrail) by(kind report.ChangeKind, role, subjectKind, subject string) (*report.ChangeBy, string) {
	names := causes(kind, subjectKind)
	events := t.byRole[role]
	if role == "" {
		events = t.byPolicy[subject]
	}
	var found []*snapshot.Usage
	for _, u := range events {
		switch {
		case !slices.Contains(names, u.EventName):
		case subjectKind == report.SubjectPolicy && u.Params.PolicyARN != subject:
		case subjectKind == report.SubjectInline && u.Params.PolicyName != subject:
		default:
			found = append(found, u)
		}
	}
	if len(found) == 0 {
		return nil, t.unexplained(names)
	}
	slices.SortFunc(found, func(a, b *snapshot.Usage) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.LastEventID, a.LastEventID))
	})
	u := found[0]
	by := changeBy(u)
	for _, v := range found {
		if n := v.Count; !v.First.Before(t.since) {
			by.Others += n
		} else {
			by.Others++ // of those alike, at least the last
		}
	}
	by.Others--
	return by, fmt.Sprintf("%s by %s", u.EventName, actorWords(u))
}

func changeBy(u *snapshot.Usage) *report.ChangeBy {
	return &report.ChangeBy{Principal: actor(u), EventName: u.EventName, EventID: u.LastEventID, At: u.Last.UTC()}
}

// actor is the ARN of who made a call, of a session with its name.
func actor(u *snapshot.Usage) string {
	who := u.Caller
	if u.Role.ARN != "" {
		who = u.Role.ARN
		if u.Who.Session != "" {
			who += "/" + u.Who.Session
		}
	}
	return cmp.Or(who, "unknown")
}

// actorWords says who made a call: the person behind the session, the service between.
func actorWords(u *snapshot.Usage) string {
	words := whoChanged(u)
	if id := cmp.Or(u.Who.SourceIdentity, u.Who.OnBehalfOf); id != "" {
		words += " (" + id + ")"
	}
	if s := u.Who.InvokedBy; s != "" && s != words {
		words += " through " + s
	}
	return words
}

// unexplained says why no event tells of a change.
func (t *changeTrail) unexplained(names []string) string {
	what := "No event tells who did it"
	if len(names) > 0 {
		what = "No " + names[0] + " event tells who did it"
	}
	if t.lacking != "" {
		return what + ": " + t.lacking
	}
	return what + ": CloudTrail was read until " + minute(t.until) + ", and shows events with a delay of up to 15 minutes"
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// lastChange is the last change of a role's policies on record before a time.
func (t *changeTrail) lastChange(role string, before time.Time) *snapshot.Usage {
	var last *snapshot.Usage
	for _, u := range t.byRole[role] {
		if u.EventName == "UpdateAssumeRolePolicy" || u.Last.After(before) {
			continue
		}
		if last == nil || u.Last.After(last.Last) || u.Last.Equal(last.Last) && u.LastEventID > last.LastEventID {
			last = u
		}
	}
	return last
}

// forward is a kind as time went: read backwards, what was attached was detached.
func (c *comparison) forward(kind report.ChangeKind) report.ChangeKind {
	if !c.backwards {
		return kind
	}
	if m, ok := mirrored[kind]; ok {
		return m
	}
	return kind
}

// mirrored are the kinds that a change has when the two snapshots change places; a kind
// that is not listed keeps its own. UseAgedOut is the mirror of several: SubjectKind
// tells which.
var mirrored = map[report.ChangeKind]report.ChangeKind{
	report.RoleCreated: report.RoleDeleted, report.RoleDeleted: report.RoleCreated,
	report.PolicyAttached: report.PolicyDetached, report.PolicyDetached: report.PolicyAttached,
	report.BoundarySet: report.BoundaryRemoved, report.BoundaryRemoved: report.BoundarySet,
	report.TrustWidened: report.TrustNarrowed, report.TrustNarrowed: report.TrustWidened,
	report.NewJob: report.UseAgedOut, report.NewImage: report.UseAgedOut, report.NewBucket: report.UseAgedOut,
	report.FirstUse: report.UseAgedOut, report.NewlyDenied: report.UseAgedOut, report.PersonAssumed: report.UseAgedOut,
}
