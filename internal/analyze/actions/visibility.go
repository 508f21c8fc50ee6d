package actions

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

//go:embed visibility.json
var visibilityFile []byte

// Class says how CloudTrail records the calls of an action.
type Class string

const (
	// Management events are in Event history and, by default, in every trail; a
	// trail may leave them out.
	Management Class = "management"
	// Data events are in no Event history and only in trails and event data
	// stores that select their resource type.
	Data Class = "data"
	// NeverLogged: no record of any kind bears this action.
	NeverLogged Class = "never"
	// Uncertain: AWS's documentation does not settle it; take it as not
	// observable.
	Uncertain Class = "uncertain"
)

// Visibility is what CloudTrail can show of an action.
type Visibility struct {
	Class Class
	// EventSource and EventNames of the action's data events, as documented; the
	// name "*" where AWS does not spell them out. Empty for management events,
	// whose names Of maps.
	EventSource string
	EventNames  []string
	// ResourceTypes are the resources.type values of a data event: a selector
	// must cover one of them.
	ResourceTypes []string
	// Source is the AWS page, empty where the class is only the default.
	Source string
	// Reason says in plain words why the action cannot be seen in a default
	// account; empty for management events.
	Reason string
}

// VisibilityOf returns what CloudTrail can show of an action, whatever its case.
// An action in no row of visibility.json is taken as a management event (AWS:
// logging-data-events-with-cloudtrail lists the data events), unless it is
// permission-only: then no call bears its name; or unless the catalogue cannot
// tell whether it is: then it is uncertain.
func VisibilityOf(action string) Visibility {
	key := strings.ToLower(action)
	rows := visibilities()
	if v, ok := rows[key]; ok {
		return v
	}
	service, _, _ := strings.Cut(key, ":")
	if v, ok := rows[service+":*"]; ok {
		return v
	}
	c := Load()
	i, ok := c.Index(action)
	if !ok {
		return Visibility{Class: Uncertain, Reason: "the action is not in the catalogue (" + c.Version() + ")"}
	}
	switch only, known := c.PermissionOnly(i); {
	case !known:
		return Visibility{Class: Uncertain, Reason: "too new: whether it is an API call at all is not known (" + c.MarksVersion() + " does not list it)"}
	case only:
		return Visibility{Class: NeverLogged, Reason: "permission-only: no API call bears this name, so no event does"}
	}
	return Visibility{Class: Management}
}

// visibilities by lower-case action.
var visibilities = sync.OnceValue(func() map[string]Visibility {
	var file struct {
		Rows []struct {
			Action        string   `json:"action"`
			Class         Class    `json:"class"`
			EventSource   string   `json:"eventSource"`
			Events        []string `json:"events"`
			ResourceTypes []string `json:"resourceTypes"`
			Reason        string   `json:"reason"`
			Source        string   `json:"source"`
		} `json:"rows"`
	}
	if err := json.Unmarshal(visibilityFile, &file); err != nil {
		// The file is part of the program; a test reads it.
		panic("actions: embedded visibility.json: " + err.Error())
	}
	rows := make(map[string]Visibility, len(file.Rows))
	for _, r := range file.Rows {
		v := Visibility{
			Class: r.Class, EventSource: r.EventSource, EventNames: r.Events,
			ResourceTypes: r.ResourceTypes, Source: r.Source, Reason: r.Reason,
		}
		if v.Class == Data {
			v.Reason = "a data event: recorded only where a trail or event data store selects " + strings.Join(r.ResourceTypes, " or ")
		}
		rows[strings.ToLower(r.Action)] = v
	}
	return rows
})
