package actions

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:generate go run ./generate catalog.txt.gz

//go:embed catalog.txt.gz
var catalogFile []byte

// Catalog is every IAM action that AWS's Service Authorization Reference lists,
// in the order of the lower-case text "service:name". Actions are named by
// their index, 0 to Len()-1. It is immutable and safe for concurrent use.
type Catalog struct {
	version, marks string
	date           time.Time
	levels         []string
	actions        []entry
	// types by service prefix, in the numbering of entry.types.
	types map[string][]typeEntry
}

type entry struct {
	name  string // canonical spelling, "s3:GetObject"
	colon int    // where the service prefix ends
	level uint8
	mark  mark
	types string // numbers of resource types, as generate/render.go writes them
}

type typeEntry struct{ name, arn string }

// mark is what the release with the dropped columns says of an action.
type mark uint8

const (
	permissionOnly mark = 1 << iota
	unmarked
	passesRole
)

// ResourceType is a resource type that an action takes.
type ResourceType struct {
	Name string
	// ARN is the reference's pattern, with ${Partition}, ${Region}, ${Account}
	// and service-specific placeholders.
	ARN string
	// Required: the reference marks the type with an asterisk.
	Required bool
}

var load = sync.OnceValue(func() *Catalog {
	c, err := decode(catalogFile)
	if err != nil {
		// The file is part of the program; a test decodes it.
		panic("actions: embedded catalogue: " + err.Error())
	}
	return c
})

// Load returns the embedded catalogue. The first call decodes it.
func Load() *Catalog { return load() }

// Version names the source and its release.
func (c *Catalog) Version() string { return "iam-data " + c.version }

// Date is the day (UTC) on which the source last changed.
func (c *Catalog) Date() time.Time { return c.date }

// Len is the number of actions.
func (c *Catalog) Len() int { return len(c.actions) }

// Action returns an action in its canonical spelling, "s3:GetObject".
func (c *Catalog) Action(i int) string { return c.actions[i].name }

// Service returns an action's IAM prefix, "s3".
func (c *Catalog) Service(i int) string { return c.actions[i].name[:c.actions[i].colon] }

// Resourceless tells that an action takes no resource type: only the resource
// "*" applies to it (AWS: reference_policies_actions-resources-contextkeys).
func (c *Catalog) Resourceless(i int) bool { return c.actions[i].types == "" }

// AccessLevel returns the reference's level as the source spells it: "List",
// "Read", "Write", "Tagging, Write" or "Permissions management, Write". Ask the
// methods below rather than compare.
func (c *Catalog) AccessLevel(i int) string { return c.levels[c.actions[i].level] }

// IsPermissionsManagement tells that an action can change who may do what.
func (c *Catalog) IsPermissionsManagement(i int) bool { return c.hasLevel(i, "Permissions management") }

// IsTagging tells that an action changes tags only.
func (c *Catalog) IsTagging(i int) bool { return c.hasLevel(i, "Tagging") }

// IsReadOnly tells that an action reads or lists.
func (c *Catalog) IsReadOnly(i int) bool { return c.hasLevel(i, "Read") || c.hasLevel(i, "List") }

func (c *Catalog) hasLevel(i int, level string) bool {
	return slices.Contains(strings.Split(c.AccessLevel(i), ", "), level)
}

// PermissionOnly tells that an action is no API call, only a right that other
// calls check, so that no event bears its name. Known is false where the source
// does not say: it dropped the column, and the last release that has it (see
// MarksVersion) does not list the action.
func (c *Catalog) PermissionOnly(i int) (only, known bool) {
	m := c.actions[i].mark
	return m&permissionOnly != 0, m&unmarked == 0
}

// MarksVersion names the release that PermissionOnly and PassesRole rest on.
func (c *Catalog) MarksVersion() string { return "iam-data " + c.marks }

// PassesRole tells that the reference names iam:PassRole as a dependent action:
// the call hands a role to a service. False is no proof: the column is as old
// as MarksVersion and was never complete.
func (c *Catalog) PassesRole(i int) bool { return c.actions[i].mark&passesRole != 0 }

// ResourceTypes lists the resource types an action takes, sorted by name; none
// for a resourceless action.
func (c *Catalog) ResourceTypes(i int) []ResourceType {
	e := c.actions[i]
	table := c.types[c.Service(i)]
	var types []ResourceType
	for w := range strings.FieldsSeq(e.types) {
		w, required := strings.CutSuffix(w, "*")
		n, _ := strconv.ParseUint(w, 36, 16) // checked by decode
		types = append(types, ResourceType{Name: table[n].name, ARN: table[n].arn, Required: required})
	}
	return types
}

// Index finds an action whatever its case, as IAM does
// (AWS: reference_policies_elements_action).
func (c *Catalog) Index(action string) (int, bool) {
	return slices.BinarySearchFunc(c.actions, action, func(e entry, target string) int { return compareFold(e.name, target) })
}

// compareFold compares as if both were lower-case ASCII.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// decode reads the format that generate/render.go writes. Names and patterns
// are slices of one text.
func decode(file []byte) (*Catalog, error) {
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.Grow(1 << 20)
	if _, err := io.Copy(&b, z); err != nil {
		return nil, err
	}
	head, rest, _ := strings.Cut(b.String(), "\n")
	levels, body, _ := strings.Cut(rest, "\n")
	f := strings.Split(head, "\t")
	if len(f) != 4 {
		return nil, fmt.Errorf("header %.80q", head)
	}
	c := &Catalog{version: f[0], marks: f[2], levels: strings.Split(levels, "\t"), types: map[string][]typeEntry{}}
	if c.date, err = time.Parse(time.DateOnly, f[1]); err != nil {
		return nil, err
	}
	c.actions = make([]entry, 0, strings.Count(body, "\n"))
	var service string
	var names strings.Builder
	names.Grow(len(body))
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		switch name, fields, _ := strings.Cut(line, "\t"); {
		case strings.HasPrefix(name, "@"):
			service = name[1:]
		case strings.HasPrefix(name, "+"):
			c.types[service] = append(c.types[service], typeEntry{name[1:], fields})
		default:
			level, types, _ := strings.Cut(fields, "\t")
			start := names.Len()
			names.WriteString(service)
			names.WriteByte(':')
			names.WriteString(name)
			e := entry{name: names.String()[start:], colon: len(service), types: types}
			if e.level, e.mark, err = decodeLevel(level, len(c.levels)); err == nil {
				err = checkTypes(types, len(c.types[service]))
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
			c.actions = append(c.actions, e)
		}
	}
	return c, nil
}

func decodeLevel(s string, levels int) (uint8, mark, error) {
	if s == "" || s[0] < '0' || int(s[0]-'0') >= levels {
		return 0, 0, fmt.Errorf("access level %q", s)
	}
	var m mark
	for _, flag := range s[1:] {
		switch flag {
		case '!':
			m |= permissionOnly
		case '?':
			m |= unmarked
		case '>':
			m |= passesRole
		default:
			return 0, 0, fmt.Errorf("flag %q", flag)
		}
	}
	return s[0] - '0', m, nil
}

func checkTypes(s string, types int) error {
	for w := range strings.FieldsSeq(s) {
		n, err := strconv.ParseUint(strings.TrimSuffix(w, "*"), 36, 16)
		if err != nil {
			return err
		}
		if n >= uint64(types) {
			return fmt.Errorf("resource type %s of %d", w, types)
		}
	}
	return nil
}
