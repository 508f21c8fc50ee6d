package analyze

import (
	"slices"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// RecordsManagement reports whether a trail's log files hold every management event of
// the regions that it sees, as its selectors are today: reads and writes of all event
// sources.
// Source: CloudTrail API_EventSelector, API_AdvancedFieldSelector.
func RecordsManagement(t *snapshot.Trail) bool {
	if !t.GlobalEvents || len(t.Unread) > 0 {
		return false
	}
	return slices.ContainsFunc(t.Selectors, func(s snapshot.EventSelector) bool {
		return s.Management && s.ReadWrite == "All" && len(s.ExcludedSources) == 0
	}) || slices.ContainsFunc(t.Advanced, func(s snapshot.AdvancedSelector) bool {
		return len(s.Fields) > 0 && !slices.ContainsFunc(s.Fields, func(f snapshot.FieldSelector) bool {
			return f.Field != "eventCategory" || !slices.Equal(f.Equals, []string{"Management"}) || !plainOnly(f) || len(f.NotEquals) > 0
		})
	})
}
