package snapshot

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// A field is one key of the file: a value, or a list that is written and read
// one element a line, so that half a million jobs never stand in memory twice.
type field struct {
	name  string
	write func(*bufio.Writer) error
	read  func(*json.Decoder) error
	// absent, where set, says of the snapshot to be written that it lacks the key; a
	// reader goes on without it.
	absent func() bool
}

func value(name string, v any) field {
	return field{name: name,
		write: func(w *bufio.Writer) error { return encode(w, v) },
		read:  func(d *json.Decoder) error { return d.Decode(v) }}
}

func list[T any](name string, v *[]T, seen func(*T)) field {
	return field{name: name,
		write: func(w *bufio.Writer) error {
			w.WriteByte('[')
			for i := range *v {
				if i > 0 {
					w.WriteByte(',')
				}
				w.WriteByte('\n')
				if err := encode(w, &(*v)[i]); err != nil {
					return err
				}
			}
			_, err := w.WriteString("\n]")
			return err
		},
		read: func(d *json.Decoder) error {
			if err := delim(d, '['); err != nil {
				return err
			}
			*v = []T{}
			for i := 0; d.More(); i++ {
				var e T
				if err := d.Decode(&e); err != nil {
					return fmt.Errorf("element %d: %w", i, err)
				}
				if seen != nil {
					seen(&e)
				}
				*v = append(*v, e)
			}
			*v = slices.Clip(*v)
			return delim(d, ']')
		}}
}

// optional is the list as a key that may be absent: of a nil list.
func optional[T any](name string, v *[]T) field {
	f := list(name, v, nil)
	f.absent = func() bool { return *v == nil }
	return f
}

func encode(w *bufio.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return err
}

func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%v where %q should be", t, rune(want))
	}
	return nil
}

// fields are the file's keys in their order; schema and schemaVersion come
// first, so that a foreign file is known before it is read.
func (s *Snapshot) fields() []field {
	in := NewInterner()
	return []field{
		value("schema", &s.Schema), value("schemaVersion", &s.SchemaVersion), value("factsVersion", &s.FactsVersion),
		value("takenAt", &s.TakenAt), value("account", &s.Account), value("caller", &s.Caller),
		value("regions", &s.Regions), value("asked", &s.Asked),
		value("window", &s.Window), value("jobsWindow", &s.JobsWindow), value("calls", &s.Calls),
		list("coverage", &s.Coverage, nil), list("gaps", &s.Gaps, nil),
		list("policies", &s.Policies, nil), list("roles", &s.Roles, nil), optional("otherRoles", &s.OtherRoles),
		optional("others", &s.Others), optional("otherPolicies", &s.OtherPolicies), optional("inventory", &s.Inventory),
		list("resources", &s.Resources, nil), list("encryption", &s.Encryption, nil), list("cacheRules", &s.CacheRules, nil), list("manifests", &s.Manifests, nil), list("trails", &s.Trails, nil), list("accessed", &s.Accessed, in.Accessed),
		list("usage", &s.Usage, in.Usage), list("jobs", &s.Jobs, in.Job),
	}
}

// Write writes s as JSON, sorted. The bytes depend on nothing but s.
func Write(w io.Writer, s *Snapshot) error {
	s.Schema, s.SchemaVersion = Schema, SchemaVersion
	s.Sort()
	b := bufio.NewWriterSize(w, 1<<16)
	for i, f := range s.fields() {
		if f.absent != nil && f.absent() {
			continue
		}
		if i == 0 {
			b.WriteString("{\n")
		} else {
			b.WriteString(",\n")
		}
		fmt.Fprintf(b, "%q: ", f.name)
		if err := f.write(b); err != nil {
			return fmt.Errorf("snapshot: %s: %w", f.name, err)
		}
	}
	b.WriteString("\n}\n")
	return b.Flush()
}

// Read reads a snapshot, plain or gzip. It errs on a file of another kind or
// version, on a key that it does not know, on one that is missing, twice there
// or out of place, on a truncated file and on anything behind its end: evidence
// is read whole or not at all.
func Read(r io.Reader) (*Snapshot, error) {
	s := new(Snapshot)
	d, err := s.read(r, "")
	if err != nil {
		return nil, err
	}
	if err := delim(d, '}'); err != nil {
		return nil, fmt.Errorf("snapshot: at its end: %w", truncated(err))
	}
	var syntax *json.SyntaxError
	switch _, err := d.Token(); {
	case errors.Is(err, io.EOF):
		return s, nil
	case err == nil, errors.As(err, &syntax):
		return nil, errors.New("snapshot: something stands behind its end")
	default: // of gzip: its checksum comes last
		return nil, fmt.Errorf("snapshot: at its end: %w", truncated(err))
	}
}

// ReadHead reads a snapshot as far as its gaps: what it is, of which account and
// time, and what it lacks. Of what stands behind, it says nothing, nor whether that
// is there: only Read does.
func ReadHead(r io.Reader) (*Snapshot, error) {
	s := new(Snapshot)
	_, err := s.read(r, "gaps")
	if err != nil {
		return nil, err
	}
	return s, nil
}

// read reads the fields in their order, up to the one named last ("" for all).
func (s *Snapshot) read(r io.Reader, last string) (*json.Decoder, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if magic, _ := b.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("not a snapshot: %w", err)
		}
		b = bufio.NewReaderSize(z, 1<<16)
	}
	d := json.NewDecoder(b)
	d.DisallowUnknownFields()
	if err := delim(d, '{'); err != nil {
		return nil, fmt.Errorf("not a snapshot: %w", truncated(err))
	}
	var key json.Token // read and not yet met
	for i, f := range s.fields() {
		if key == nil {
			var err error
			if key, err = d.Token(); err != nil {
				return nil, fmt.Errorf("snapshot: before %s: %w", f.name, truncated(err))
			}
		}
		if key != f.name {
			if f.absent != nil {
				continue
			}
			if i == 0 {
				return nil, fmt.Errorf("not a snapshot: it begins with %s, not with its schema", quoted(key))
			}
			return nil, fmt.Errorf("snapshot: %s where %q should be", quoted(key), f.name)
		}
		key = nil
		if err := f.read(d); err != nil {
			return nil, fmt.Errorf("snapshot: %s: %w", f.name, truncated(err))
		}
		switch {
		case f.name == "schema" && s.Schema != Schema:
			return nil, fmt.Errorf("not a snapshot: its schema is %q, not %q", s.Schema, Schema)
		case f.name == "schemaVersion" && s.SchemaVersion != SchemaVersion:
			return nil, fmt.Errorf("snapshot: schema version %d, and this version of audit reads %d", s.SchemaVersion, SchemaVersion)
		case f.name == last:
			return d, nil
		}
	}
	return d, nil
}

// ReadFile reads the snapshot at path; its errors name the path.
func ReadFile(path string) (*Snapshot, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func quoted(t json.Token) string {
	s := fmt.Sprintf("%q", fmt.Sprint(t))
	if len(s) > 60 {
		s = s[:57] + `..."`
	}
	return s
}

func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends here, it is truncated")
	}
	return err
}

// Interner lets equal strings and lists share their memory. Jobs of one family
// repeat images, roles, subnets and channels half a million times. What went
// through an Interner is not to be changed in place any more.
type Interner struct {
	strings  map[string]string
	lists    map[string][]string
	channels map[string][]Channel
	key      []byte // of the list looked up, to be used again
}

// mostInterned bounds what an interner remembers: values that are all different
// are not worth remembering.
const mostInterned = 1 << 17

// NewInterner returns an empty interner. It is not safe for concurrent use.
func NewInterner() *Interner {
	return &Interner{strings: make(map[string]string), lists: make(map[string][]string), channels: make(map[string][]Channel)}
}

func (in *Interner) intern(fields ...*string) {
	for _, f := range fields {
		if *f == "" {
			continue
		}
		if s, ok := in.strings[*f]; ok {
			*f = s
			continue
		}
		*f = strings.Clone(*f)
		if len(in.strings) < mostInterned {
			in.strings[*f] = *f
		}
	}
}

func (in *Interner) list(l *[]string) {
	in.key = in.key[:0]
	for i := range *l {
		in.intern(&(*l)[i])
		in.key = append(append(in.key, (*l)[i]...), 0)
	}
	*l = shared(in.lists, in.key, *l)
}

func (in *Interner) channelList(l *[]Channel) {
	in.key = in.key[:0]
	for i := range *l {
		c := &(*l)[i]
		fields := [...]*string{&c.Name, &c.DataType, &c.URI, &c.InputMode, &c.FileSystem, &c.HubContent, &c.Dataset}
		in.intern(fields[:]...)
		for _, f := range fields {
			in.key = append(append(in.key, *f...), 0)
		}
		for j := range c.Attributes {
			in.intern(&c.Attributes[j])
			in.key = append(append(in.key, c.Attributes[j]...), 1)
		}
	}
	*l = shared(in.channels, in.key, *l)
}

// shared gives the list that key stands for, which is l where there is none yet.
func shared[T any](known map[string][]T, key []byte, l []T) []T {
	if len(l) == 0 {
		return l
	}
	if k, ok := known[string(key)]; ok {
		return k
	}
	l = slices.Clip(l)
	if len(known) < mostInterned {
		known[string(key)] = l
	}
	return l
}

// Job interns all of a job that repeats: everything but its name, ARN, artifact
// and failure.
func (in *Interner) Job(j *Job) {
	in.intern(&j.Region, &j.RoleARN, &j.Status, &j.SecondaryStatus, &j.Image, &j.Algorithm, &j.RepositoryAccess,
		&j.CredentialsProviderARN, &j.InputMode, &j.Output.URI, &j.Output.KMSKey, &j.Checkpoint, &j.TensorBoard, &j.DebugHook,
		&j.Profiler, &j.VolumeKMSKey, &j.TuningJobARN, &j.AutoMLJobARN, &j.LabelingJobARN, &j.ModelPackageGroup, &j.Mlflow, &j.CodeArtifact)
	in.list(&j.MetricNames)
	in.list(&j.VPC.Subnets)
	in.list(&j.VPC.SecurityGroups)
	in.channelList(&j.Channels)
	for _, rules := range [][]Rule{j.DebugRules, j.ProfilerRules} {
		for i := range rules {
			in.intern(&rules[i].Name, &rules[i].Image, &rules[i].URI)
		}
	}
	for i := range j.S3Values {
		in.intern(&j.S3Values[i].Field, &j.S3Values[i].Key)
	}
}

// Accessed interns the names of services and actions, which every role repeats.
func (in *Interner) Accessed(a *Accessed) {
	in.intern(&a.ARN)
	for i := range a.Never {
		in.intern(&a.Never[i])
	}
	for i := range a.Services {
		s := &a.Services[i]
		in.intern(&s.Service, &s.Region)
		for j := range s.Actions {
			in.intern(&s.Actions[j].Action, &s.Actions[j].Region)
		}
		for j := range s.Never {
			in.intern(&s.Never[j])
		}
	}
}

// Usage interns the strings of a group that its neighbours repeat.
func (in *Interner) Usage(u *Usage) {
	in.intern(&u.Role.ARN, &u.Role.ID, &u.Caller, &u.EventSource, &u.EventName, &u.EventType, &u.Category, &u.Region,
		&u.ErrorCode, &u.Who.Session, &u.Who.InvokedBy, &u.Who.Agent, &u.Source,
		&u.Params.BucketName, &u.Params.RepositoryName, &u.Params.RegistryID, &u.Params.LogGroupName, &u.Params.KeyID, &u.Params.RoleARN)
}
