package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Floors below which a release is broken rather than smaller: AWS's reference
// only grows by and large.
const (
	minServices       = 450
	minActions        = 22000
	minPermissionOnly = 1200
)

// render writes the catalogue's text, which package actions decodes:
//
//	version TAB date TAB version of the marks TAB date of the marks
//	level TAB level ...                  access levels, numbered from 0
//	@service                             opens a service; all below is its own
//	+resource type TAB ARN pattern       numbered from 0 within the service
//	Action TAB level flags TAB types
//
// flags: ! permission only, ? not in the release with the marks, > hands on a
// role (iam:PassRole is a dependent action). types are numbers in base 36
// parted by spaces, required ones ending in *. Actions stand in the
// order of their lower-case text "service:name".
func render(catalog, marks *data) ([]byte, error) {
	if catalog.Updated.IsZero() || marks.Updated.IsZero() {
		return nil, fmt.Errorf("package.json has no updatedAt")
	}
	levels, err := accessLevels(catalog)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", catalog.Version, catalog.Updated.UTC().Format(time.DateOnly), marks.Version, marks.Updated.UTC().Format(time.DateOnly))
	fmt.Fprintln(&b, strings.Join(levels, "\t"))

	services := slices.SortedFunc(maps.Keys(catalog.Actions), func(a, b string) int { return cmp.Compare(a+":", b+":") })
	actions, permissionOnly := 0, 0
	for _, s := range services {
		types := slices.Sorted(maps.Keys(catalog.ResourceTypes[s]))
		fmt.Fprintf(&b, "@%s\n", s)
		for _, t := range types {
			rt := catalog.ResourceTypes[s][t]
			fmt.Fprintf(&b, "+%s\t%s\n", rt.Key, rt.ARN)
		}
		for _, name := range slices.Sorted(maps.Keys(catalog.Actions[s])) {
			a := catalog.Actions[s][name]
			if name != strings.ToLower(a.Name) {
				return nil, fmt.Errorf("%s:%s is filed under %q", s, a.Name, name)
			}
			flags := ""
			switch mark, known := marks.Actions[s][name]; {
			case !known:
				flags = "?"
			case mark.PermissionOnly:
				flags, permissionOnly = "!", permissionOnly+1
			}
			if passesRole(marks.Actions[s][name]) {
				flags += ">"
			}
			used, err := resourceTypes(a, types)
			if err != nil {
				return nil, fmt.Errorf("%s:%s: %w", s, a.Name, err)
			}
			fmt.Fprintf(&b, "%s\t%d%s\t%s\n", a.Name, slices.Index(levels, a.AccessLevel), flags, used)
			actions++
		}
	}
	if len(services) < minServices || actions < minActions || permissionOnly < minPermissionOnly {
		return nil, fmt.Errorf("%d services, %d actions, %d permission only: below the floor", len(services), actions, permissionOnly)
	}
	return b.Bytes(), nil
}

func accessLevels(d *data) ([]string, error) {
	set := map[string]bool{}
	for s, actions := range d.Actions {
		for _, a := range actions {
			if a.AccessLevel == "" {
				return nil, fmt.Errorf("%s:%s has no access level", s, a.Name)
			}
			set[a.AccessLevel] = true
		}
	}
	if len(set) > 10 {
		return nil, fmt.Errorf("%d access levels: more than one digit holds", len(set))
	}
	return slices.Sorted(maps.Keys(set)), nil
}

// resourceTypes numbers an action's types, each once: the reference names some
// twice, once for each of its condition keys.
func resourceTypes(a action, types []string) (string, error) {
	required := map[int]bool{}
	for _, u := range a.ResourceTypes {
		i, ok := slices.BinarySearch(types, strings.ToLower(u.Name))
		if !ok {
			return "", fmt.Errorf("resource type %q is not defined", u.Name)
		}
		required[i] = required[i] || u.Required
	}
	var words []string
	for _, i := range slices.Sorted(maps.Keys(required)) {
		w := strconv.FormatInt(int64(i), 36)
		if required[i] {
			w += "*"
		}
		words = append(words, w)
	}
	return strings.Join(words, " "), nil
}

func passesRole(a action) bool {
	if slices.Contains(a.DependentActions, "iam:PassRole") {
		return true
	}
	return slices.ContainsFunc(a.ResourceTypes, func(u actionUse) bool { return slices.Contains(u.DependentActions, "iam:PassRole") })
}
