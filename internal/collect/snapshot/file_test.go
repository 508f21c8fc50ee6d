package snapshot

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var at = time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC)

func example() *Snapshot {
	key := RoleKey{ARN: trainerARN, ID: trainerID}
	s := &Snapshot{
		FactsVersion: FactsVersion, TakenAt: at, Account: Account{ID: "123456789012", Partition: "aws"}, Caller: "arn:aws:sts::123456789012:assumed-role/a/b",
		Regions: Regions{Read: []string{"eu-west-1", "us-east-1"}, Enabled: []string{"eu-west-1", "us-east-1"}},
		Asked:   Asked{Roles: []string{"a", "b*"}, Usage: "lookup"},
		Window:  Window{From: at.Add(-time.Hour), To: at}, JobsWindow: Window{From: at.Add(-2 * time.Hour), To: at},
		Calls:    map[string]int{"iam:GetRole": 2, "sts:GetCallerIdentity": 1},
		Coverage: []Coverage{{Source: SourceRoles, Scope: ScopeAll, Items: 1, Complete: true}, {Source: SourceTrainingJobs, Region: "us-east-1", Asked: Window{From: at, To: at}, Items: 2}},
		Gaps:     []Gap{{Source: "iam:GetRole", Scope: "x", Impact: ImpactDetail, Reason: ReasonRefused, Detail: "<no> & \u2028"}},
		Policies: []ManagedPolicy{{ARN: "arn:aws:iam::aws:policy/P", Name: "P", Version: "v1", Document: "{\n}"}},
		Roles: []Role{{RoleKey: key, Name: "trainer", Path: "/service-role/", CreatedAt: at, Trust: "{}", Inline: []InlinePolicy{{"a", "{}"}, {"b", "{}"}},
			Attached: []AttachedPolicy{{"P", "arn:aws:iam::aws:policy/P"}}, Tags: []Tag{{"a", "1"}, {"b", "2"}}, LastUsed: LastUsed{At: at, Region: "us-east-1"}, Unread: []string{"attached", "inline"}}},
		Resources:  []ResourcePolicy{{ARN: "arn:aws:kms:r:123456789012:key/k", Aliases: []string{"alias/a", "alias/b"}, Document: "{}"}, {ARN: "arn:aws:s3:::b", Document: "{}"}, {ARN: "arn:aws:s3:::c"}},
		Encryption: []BucketEncryption{{ARN: "arn:aws:s3:::b", Region: "us-east-1", Algorithm: "aws:kms", Key: "alias/a"}, {ARN: "arn:aws:s3:::c", Region: "eu-west-1", Algorithm: "AES256"}},
		CacheRules: []CacheRules{{Account: "123456789012", Region: "eu-west-1", Prefixes: []string{}}, {Account: "123456789012", Region: "us-east-1", Prefixes: []string{"mirror", "quay"}}},
		OtherRoles: []RoleKey{{ARN: "arn:aws:iam::123456789012:role/a", ID: "AROAA"}, {ARN: "arn:aws:iam::123456789012:role/b", ID: "AROAB"}},
		Others: []Other{{RoleKey: RoleKey{ARN: "arn:aws:iam::123456789012:role/a", ID: "AROAA"}, Trust: "{}", Inline: []InlinePolicy{{"a", "{}"}, {"b", "{}"}}, Attached: []AttachedPolicy{{"P", "arn:aws:iam::aws:policy/P"}, {"Q", "arn:aws:iam::aws:policy/Q"}},
			Boundary: "arn:aws:iam::aws:policy/P", Tags: []Tag{{"a", "1"}, {"b", "2"}}, InstanceProfiles: []string{"arn:x", "arn:y"}}, {RoleKey: RoleKey{ARN: "arn:aws:iam::123456789012:role/b", ID: "AROAB"}, Trust: "{}"}},
		OtherPolicies: []ManagedPolicy{{ARN: "arn:aws:iam::aws:policy/Q", Name: "Q", Version: "v1", Document: "{}"}, {ARN: "arn:aws:iam::aws:policy/R", Name: "R", Version: "v1", Document: "{}"}},
		Inventory:     []Inventory{{Kind: KindBucket, ARNs: []string{"arn:aws:s3:::a", "arn:aws:s3:::b"}, Cut: true}, {Kind: KindKey, Region: "us-east-1", ARNs: []string{}}},
		Manifests:     []Manifest{{URI: "s3://b/m.json", Prefixes: []string{"s3://b/x/", "s3://b/y/"}, Truncated: true}, {URI: "s3://b/n.json", Prefixes: []string{}}},
		Trails: []Trail{{ARN: "arn:aws:cloudtrail:us-east-1:123456789012:trail/t", Name: "t", HomeRegion: "us-east-1", MultiRegion: true, Logging: true, StartedAt: at,
			Selectors: []EventSelector{{ReadWrite: "WriteOnly", Management: true, Data: []DataResource{{"AWS::S3::Object", []string{"arn:aws:s3:::b/"}}}, ExcludedSources: []string{"kms.amazonaws.com"}}},
			Advanced:  []AdvancedSelector{{Name: "a", Fields: []FieldSelector{{Field: "resources.ARN", StartsWith: []string{"arn:aws:s3:::b/"}}}}}, Unread: []string{"selectors", "status"}}},
		Accessed: []Accessed{{RoleKey: key, At: at, Services: []AccessedService{{Service: "s3", At: at, Region: "us-east-1",
			Actions: []AccessedAction{{"GetBucketAcl", at, "us-east-1"}}, Never: []string{"ListAllMyBuckets", "PutBucketAcl"}}}, Never: []string{"ec2", "iam"}}},
	}
	for i := range 20 {
		s.Usage = append(s.Usage, Usage{UseKey: UseKey{Role: key, EventSource: "s3.amazonaws.com", EventName: fmt.Sprintf("Event%02d", i), Region: "us-east-1",
			Params: Params{Key: "k"}, Who: Who{Session: "SageMaker"}, Denial: Denial{Explicit: i%2 == 0}}, Count: i + 1, First: at, Last: at, Source: SourceLookup})
		s.Jobs = append(s.Jobs, Job{Name: fmt.Sprintf("job-%02d", i), ARN: fmt.Sprintf("arn:j/job-%02d", i), Region: "us-east-1", Status: "Completed", CreatedAt: at.Add(time.Duration(i) * time.Second),
			Channels: []Channel{{Name: "train", URI: "s3://b/p"}}, VPC: VPC{Subnets: []string{"s"}}, S3Values: []S3Value{{"Environment", "K", "s3://b"}}})
	}
	return s
}

func write(t testing.TB, s *Snapshot) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	want := example()
	data := write(t, want)
	for name, file := range map[string][]byte{"plain": data, "gzip": zipped(t, data)} {
		got, err := Read(bytes.NewReader(file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if again := write(t, got); !bytes.Equal(again, data) {
			t.Errorf("%s: written again, other bytes", name)
		}
	}
	path := filepath.Join(t.TempDir(), "s.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err != nil {
		t.Error(err)
	}
}

// The order in which evidence was found leaves no trace.
func TestSortedBytes(t *testing.T) {
	want := write(t, example())
	for seed := range uint64(20) {
		s, r := example(), rand.New(rand.NewPCG(seed, 1))
		shuffle(r, s.Jobs)
		shuffle(r, s.Usage)
		shuffle(r, s.Coverage)
		shuffle(r, s.Roles[0].Inline)
		shuffle(r, s.Roles[0].Tags)
		shuffle(r, s.Roles[0].Unread)
		shuffle(r, s.Regions.Read)
		shuffle(r, s.Resources[0].Aliases)
		shuffle(r, s.Resources)
		shuffle(r, s.Manifests[0].Prefixes)
		shuffle(r, s.Manifests)
		shuffle(r, s.Encryption)
		shuffle(r, s.CacheRules[1].Prefixes)
		shuffle(r, s.CacheRules)
		shuffle(r, s.OtherRoles)
		shuffle(r, s.Others[0].Inline)
		shuffle(r, s.Others[0].Attached)
		shuffle(r, s.Others[0].Tags)
		shuffle(r, s.Others[0].InstanceProfiles)
		shuffle(r, s.Others)
		shuffle(r, s.OtherPolicies)
		shuffle(r, s.Inventory[0].ARNs)
		shuffle(r, s.Inventory)
		shuffle(r, s.Trails[0].Unread)
		shuffle(r, s.Accessed[0].Never)
		shuffle(r, s.Accessed[0].Services[0].Never)
		shuffle(r, s.Asked.Roles)
		if got := write(t, s); !bytes.Equal(got, want) {
			t.Fatalf("seed %d: other bytes\n%s", seed, cmp.Diff(string(want), string(got)))
		}
	}
}

func shuffle[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func TestReadRefuses(t *testing.T) {
	data := string(write(t, example()))
	for name, tt := range map[string]struct{ file, says string }{
		"an empty file":      {"", "truncated"},
		"foreign JSON":       {`{"Version":"2012-10-17"}`, "not a snapshot"},
		"a list":             {`[1]`, "not a snapshot"},
		"text":               {`hello`, "not a snapshot"},
		"another schema":     {strings.Replace(data, Schema, "somebody/else", 1), "its schema is"},
		"a later version":    {strings.Replace(data, `"schemaVersion": 2`, `"schemaVersion": 3`, 1), "schema version 3"},
		"an older version":   {strings.Replace(data, `"schemaVersion": 2`, `"schemaVersion": 1`, 1), "schema version 1"},
		"something behind":   {data + "{}", "behind its end"},
		"garbage behind":     {data + "x", "behind its end"},
		"an unknown field":   {strings.Replace(data, `"eventName"`, `"eventNames"`, 1), "unknown field"},
		"an unknown key":     {strings.Replace(data, `"caller"`, `"callers"`, 1), `where "caller" should be`},
		"a misplaced key":    {strings.Replace(data, `"usage": [`, `"jobs": [`, 1), `where "usage" should be`},
		"a missing key":      {strings.Replace(data, "\"caller\": \"arn:aws:sts::123456789012:assumed-role/a/b\",\n", "", 1), `where "caller" should be`},
		"a duplicate key":    {strings.Replace(data, `"factsVersion": 3`, `"schemaVersion": 2`, 1), `where "factsVersion" should be`},
		"a list that is not": {strings.Replace(data, `"gaps": [`, `"gaps": {`, 1), "gaps"},
		"a broken gzip":      {"\x1f\x8bxx", "not a snapshot"},
	} {
		if tt.file == data {
			t.Fatalf("%s: the test changes nothing", name)
		}
		s, err := Read(strings.NewReader(tt.file))
		if err == nil || s != nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want an error that says %q", name, err, tt.says)
		}
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "none.json")); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestReadTruncated(t *testing.T) {
	data := write(t, example())
	packed := zipped(t, data)
	body := bytes.TrimRight(data, "\n")
	for n := 0; n < len(body); n += 101 {
		if _, err := Read(bytes.NewReader(body[:n])); err == nil {
			t.Errorf("%d of %d bytes are read as a whole", n, len(data))
		}
	}
	for n := 0; n < len(packed); n += 23 {
		if _, err := Read(bytes.NewReader(packed[:n])); err == nil {
			t.Errorf("%d of %d packed bytes are read as a whole", n, len(packed))
		}
	}
	for _, n := range []int{len(body) - 1, len(body) - 2} {
		if _, err := Read(bytes.NewReader(body[:n])); err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("%d bytes short: %v", len(body)-n, err)
		}
	}
}

func TestComplete(t *testing.T) {
	s := &Snapshot{Gaps: []Gap{{Impact: ImpactDetail}}}
	if !s.Complete() {
		t.Error("a detail makes a snapshot incomplete")
	}
	for _, impact := range []Impact{ImpactRoles, ImpactJobs, ImpactUsage} {
		s.Gaps = append(s.Gaps[:1], Gap{Impact: impact})
		if s.Complete() {
			t.Errorf("a gap of %s leaves a snapshot complete", impact)
		}
	}
}

func FuzzRead(f *testing.F) {
	data := write(f, example())
	f.Add(data)
	f.Add(zipped(f, data))
	f.Add(data[:len(data)/2])
	f.Add(write(f, &Snapshot{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		// What can be read is written and read again as the same.
		once := write(t, s)
		again, err := Read(bytes.NewReader(once))
		if err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		if twice := write(t, again); !bytes.Equal(once, twice) {
			t.Errorf("-once +twice:\n%s", cmp.Diff(string(once), string(twice)))
		}
	})
}

// Interning changes no value, and lets equal lists share one array.
func TestInterner(t *testing.T) {
	in := NewInterner()
	jobs := []Job{
		{Channels: []Channel{{Name: "a", URI: "s3://b/1"}, {Name: "b"}}, MetricNames: []string{"x", "y"}, Image: "i"},
		{Channels: []Channel{{Name: "a", URI: "s3://b/1"}, {Name: "b"}}, MetricNames: []string{"x", "y"}, Image: "i"},
		{Channels: []Channel{{Name: "a"}, {Name: "s3://b/1", URI: "b"}}, MetricNames: []string{"xy", ""}},
		{MetricNames: []string{"", "xy"}},
		{},
	}
	want := make([]Job, len(jobs))
	for i := range jobs {
		want[i] = jobs[i]
		want[i].Channels = append([]Channel(nil), jobs[i].Channels...)
		want[i].MetricNames = append([]string(nil), jobs[i].MetricNames...)
		in.Job(&jobs[i])
	}
	if d := cmp.Diff(want, jobs); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
	if &jobs[0].Channels[0] != &jobs[1].Channels[0] || &jobs[0].MetricNames[0] != &jobs[1].MetricNames[0] {
		t.Error("equal lists do not share their memory")
	}
}

// otherRoles may be absent, which is not the same as empty.
func TestOtherRolesMayBeAbsent(t *testing.T) {
	for name, others := range map[string][]RoleKey{"absent": nil, "empty": {}, "one": {{ARN: "arn:aws:iam::123456789012:role/a", ID: "AROAA"}}} {
		var b bytes.Buffer
		if err := Write(&b, &Snapshot{OtherRoles: others}); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Contains(b.String(), "otherRoles"), others != nil; got != want {
			t.Errorf("%s: the key is there: %v", name, got)
		}
		s, err := Read(&b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if (s.OtherRoles == nil) != (others == nil) || !slices.Equal(s.OtherRoles, others) {
			t.Errorf("%s: read back %v", name, s.OtherRoles)
		}
	}
}
