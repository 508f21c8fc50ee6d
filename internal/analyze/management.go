package analyze

import (
	"slices"
	"strings"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// excludable are the services whose management events a trail may leave out, by the
// source of their events.
// Source: CloudTrail API_EventSelector, ExcludeManagementEventSources.
var excludable = map[string]string{"kms": "kms.amazonaws.com", "rds-data": "rdsdata.amazonaws.com"}

// RecordsManagement reports whether a trail's log files hold every management event of
// the regions that it sees, as its selectors are today: reads and writes of all event
// sources.
func RecordsManagement(t *snapshot.Trail) bool {
	for _, source := range excludable {
		if !recordsManagement(t, source) {
			return false
		}
	}
	return true
}

// recordsManagementOf is the property of trails that record all management events of
// an event source that may be left out, or of all that may not (""), reads and writes.
func recordsManagementOf(source string) func(*trail) bool {
	return func(t *trail) bool { return recordsManagement(t.Trail, source) }
}

// recordsManagement: CloudTrail API_EventSelector, API_AdvancedFieldSelector. One
// selector has to keep them all; a field that is not modelled keeps nobody knows what.
func recordsManagement(t *snapshot.Trail, source string) bool {
	if !t.GlobalEvents || !t.Known() {
		return false
	}
	return slices.ContainsFunc(t.Selectors, func(s snapshot.EventSelector) bool {
		return s.Management && s.ReadWrite == "All" && excludes(s.ExcludedSources, source)
	}) || slices.ContainsFunc(t.Advanced, func(s snapshot.AdvancedSelector) bool {
		return ofManagement(s) && !slices.ContainsFunc(s.Fields, func(f snapshot.FieldSelector) bool {
			return f.Field != "eventCategory" && !(f.Field == "eventSource" && plainOnly(f) && len(f.Equals) == 0 && excludes(f.NotEquals, source))
		})
	})
}

// excludes reports whether what is left out is known, and does not have the source.
func excludes(left []string, source string) bool {
	for _, l := range left {
		if l == source || l != excludable["kms"] && l != excludable["rds-data"] {
			return false
		}
	}
	return true
}

// ofManagement reports whether a selector selects management events and no others.
func ofManagement(s snapshot.AdvancedSelector) bool {
	return slices.ContainsFunc(s.Fields, func(f snapshot.FieldSelector) bool {
		return f.Field == "eventCategory" && slices.Equal(f.Equals, []string{"Management"}) && plainOnly(f) && len(f.NotEquals) == 0
	})
}

// recordsChanges reports whether a trail records the calls that change trails: writes
// of CloudTrail itself.
func (t *trail) recordsChanges() bool {
	const source = "cloudtrail.amazonaws.com"
	if !t.Known() {
		return false
	}
	return slices.ContainsFunc(t.Selectors, func(s snapshot.EventSelector) bool {
		return s.Management && s.ReadWrite != "ReadOnly" && !slices.Contains(s.ExcludedSources, source)
	}) || slices.ContainsFunc(t.Advanced, func(s snapshot.AdvancedSelector) bool {
		return ofManagement(s) && !slices.ContainsFunc(s.Fields, func(f snapshot.FieldSelector) bool {
			switch f.Field {
			case "eventCategory":
				return false
			case "readOnly":
				return !selects(f, "false")
			case "eventSource":
				return !selects(f, source)
			}
			return true
		})
	})
}

// ofEveryType reports whether a trail records a class of events on whatever type of
// resource it occurs. A pattern that is no bucket's may stand for access points as
// well, whose events are of another type.
func (t *trail) ofEveryType(c eventClass) bool {
	types := c.visibility.ResourceTypes
	if len(types) < 2 || strings.HasPrefix(strings.TrimPrefix(c.resource, "arn:"), c.partition()+":s3:::") {
		return true
	}
	for _, one := range types {
		narrow := c
		narrow.visibility.ResourceTypes = []string{one}
		if t.of(narrow).verdict != recordedYes {
			return false
		}
	}
	return true
}

// partition is that of the resource's ARN, empty for a pattern of several.
func (c eventClass) partition() string {
	if part := strings.SplitN(c.resource, ":", 3); len(part) == 3 && !strings.ContainsAny(part[1], "*?") {
		return part[1]
	}
	return ""
}
