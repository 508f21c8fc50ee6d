package analyze

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// accessed is what IAM's last accessed details tell of one role. They count refused
// attempts and know services rather than calls, so they never prove a use: they can
// only forbid to call something unused, or support it.
// Source: AWS access_policies_last-accessed.
type accessed struct {
	// missing is why they do not tell, empty where they do.
	missing  string
	services map[string]*snapshot.AccessedService
	never    map[string]bool
	at       time.Time
}

func (a *audit) accessedBy(sub *subject) *accessed {
	told := a.told[sub.key]
	if told == nil {
		return &accessed{missing: "IAM's last accessed details of the role were not read, which could show an access that no event does"}
	}
	out := &accessed{services: map[string]*snapshot.AccessedService{}, never: map[string]bool{}, at: told.At}
	for i := range told.Services {
		out.services[told.Services[i].Service] = &told.Services[i]
	}
	for _, name := range told.Never {
		out.never[name] = true
	}
	return out
}

// rounding: last accessed times may be cut to the minute.
const rounding = time.Minute

// veto says why an action of which no call is on record may have been called all
// the same: an access in the window, or after it, that nothing explains. Of a tracked
// management action IAM tells the date itself. Of the service as a whole it tells
// that it was reached: by a call on record; by one of those actions of the service
// that Event history never shows, where the role is granted any; else by a call that
// should be on record and is not, which may have been any. Empty: IAM saw nothing that
// speaks against the record.
func (a *audit) veto(j *judgement, action string) string {
	if why := a.whyCopied(j, action); why != "" {
		return why
	}
	t := j.accessed
	if t.missing != "" {
		return t.missing
	}
	prefix, name, _ := strings.Cut(action, ":")
	if t.never[prefix] {
		return ""
	}
	service := t.services[prefix]
	if service == nil {
		return "IAM's last accessed details do not list the service"
	}
	unseen := func(at, seen time.Time) bool {
		return !at.Before(a.snapshot.Window.From) && at.After(seen.Add(rounding))
	}
	if i := slices.IndexFunc(service.Actions, func(x snapshot.AccessedAction) bool { return strings.EqualFold(x.Action, name) }); i >= 0 {
		if at := service.Actions[i].At; unseen(at, j.seen.last(action)) {
			return fmt.Sprintf("IAM saw the action attempted on %s, and no event read shows it", day(at))
		}
		return ""
	}
	if slices.ContainsFunc(service.Never, func(x string) bool { return strings.EqualFold(x, name) }) {
		return "" // tracked, and never
	}
	if unseen(service.At, j.seen.latest[prefix]) && !j.unrecorded[prefix] {
		return fmt.Sprintf("IAM saw the service %s reached on %s, and no event read shows by which call", prefix, day(service.At))
	}
	return ""
}

// support says how far IAM's details agree that the services' actions are unused.
func (a *audit) support(j *judgement, services []string) string {
	never, before := 0, 0
	for _, service := range services {
		switch s := j.accessed.services[service]; {
		case j.accessed.never[service]:
			never++
		case s != nil && s.At.Before(a.snapshot.Window.From):
			before++
		}
	}
	var parts []string
	if never > 0 {
		parts = append(parts, fmt.Sprintf("%d of these %d services never reached within its 400 days", never, len(services)))
	}
	if before > 0 {
		parts = append(parts, fmt.Sprintf("%d last reached before the window", before))
	}
	if n := len(services) - never - before; n > 0 {
		parts = append(parts, fmt.Sprintf("%d reached, by calls on record or by others that no event shows", n))
	}
	return fmt.Sprintf("IAM's last accessed details of %s: %s", day(j.accessed.at), strings.Join(parts, ", "))
}
