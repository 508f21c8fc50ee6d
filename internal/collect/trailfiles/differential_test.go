package trailfiles

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles/trailgen"
)

// told is all that one file told, by either reader.
type told struct {
	Records    int64
	Bad, BadAt int64
	Stopped    bool
	Classes    [classOther + 1]int64
	Calls      []call
}

type call struct {
	Number    int64
	ID, Event string
	At        string
	Key       snapshot.UseKey
}

// asked is what both readers are asked for.
type asked struct {
	roles   map[string]bool
	sources []string
	limits  Limits
}

func (a asked) keep(k *snapshot.UseKey) bool {
	for _, s := range a.sources {
		if k.EventSource == s {
			return true
		}
	}
	return a.roles[k.Role.ARN] || a.roles[k.Params.PassedRole()]
}

func (a asked) call(n int64, r *snapshot.Record, k *snapshot.UseKey) call {
	return call{n, r.ID(), r.EventID, r.EventTime.String(), *k}
}

// plainly reads a file with encoding/json alone. It is what a file means.
func plainly(text []byte, a asked) (t told) {
	d := json.NewDecoder(bytes.NewReader(text))
	for _, want := range []json.Token{json.Delim('{'), "Records", json.Delim('[')} {
		if got, err := d.Token(); err != nil || got != want {
			t.Stopped = true
			return t
		}
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil || len(raw) > a.limits.Record || depthOf(raw)-1 > a.limits.Depth {
			t.Stopped = true
			return t
		}
		t.Records++
		r, err := snapshot.DecodeRecord(raw)
		if err != nil {
			if t.Bad++; t.Bad == 1 {
				t.BadAt = t.Records
			}
			continue
		}
		category := r.EventCategory
		if category == "" && r.ManagementEvent != nil && !*r.ManagementEvent {
			category = "Data"
		}
		switch category {
		case "", "Management":
			t.Classes[classManagement]++
		case "Data":
			t.Classes[classData]++
		default:
			t.Classes[classOther]++
		}
		if k, ok := snapshot.Facts(r); ok && a.keep(&k) {
			t.Calls = append(t.Calls, a.call(t.Records, r, &k))
		}
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if got, err := d.Token(); err != nil || got != want {
			t.Stopped = true
			return t
		}
	}
	_, err := d.Token()
	t.Stopped = err != io.EOF
	return t
}

// scanned reads a file with the scanner.
func scanned(s *scanner, from io.Reader, a asked) (t told) {
	r := &report{}
	r.keep = func(record *snapshot.Record, k *snapshot.UseKey) {
		if a.keep(k) {
			t.Calls = append(t.Calls, a.call(r.records, record, k))
		}
	}
	s.reset(plain{from})
	s.file(r)
	t.Records, t.Bad, t.BadAt, t.Stopped, t.Classes = r.records, r.bad, r.badAt, r.stopped != nil, r.classes
	return t
}

// readers are scanners with windows of several sizes, which keep what they learned.
type readers struct {
	asked   asked
	scanner *scanner
	small   *scanner
}

func newReaders(roles map[string]bool) *readers {
	a := asked{roles, []string{"iam.amazonaws.com"}, Limits{Record: 64 << 10, Depth: 100, File: 1 << 30}}
	small := a.limits
	r := &readers{asked: a, scanner: newScanner(newRoles(roles), a.sources, a.limits), small: newScanner(newRoles(roles), a.sources, small)}
	r.small.window = 512
	return r
}

// compare reads a file in every way and fails where one differs.
func (r *readers) compare(t testing.TB, text []byte) {
	t.Helper()
	want := plainly(text, r.asked)
	for way, read := range map[string]func() told{
		"whole":         func() told { return scanned(r.scanner, bytes.NewReader(text), r.asked) },
		"known":         func() told { return scanned(r.scanner, bytes.NewReader(text), r.asked) },
		"small window":  func() told { return scanned(r.small, bytes.NewReader(text), r.asked) },
		"byte by byte":  func() told { return scanned(r.small, iotest.OneByteReader(bytes.NewReader(text)), r.asked) },
		"data with EOF": func() told { return scanned(r.small, iotest.DataErrReader(bytes.NewReader(text)), r.asked) },
	} {
		if d := cmp.Diff(want, read()); d != "" {
			t.Fatalf("%s (-encoding/json +scanner):\n%s\n%s", way, d, clip(string(text), 4000))
		}
	}
}

const role = "arn:aws:iam::123456789012:role/service-role/trainer-00001"

// base is a record that is kept.
const base = `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAX:SageMaker","arn":"arn:aws:sts::123456789012:assumed-role/trainer-00001/SageMaker","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAX","arn":"` + role + `"},"attributes":{"mfaAuthenticated":"false"}}},"eventTime":"2026-10-01T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","userAgent":"x/1","requestParameters":{"bucketName":"b","key":"k/1"},"responseElements":null,"requestID":"r","eventID":"e1","readOnly":true,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k/1"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"123456789012","eventCategory":"Data"}`

// hostile are records, each base with one part replaced.
var hostile = [][2]string{
	// Names twice: the last counts; objects of a field are read one into the other.
	{`"eventID":"e1"`, `"eventID":"e0","eventID":"e1"`},
	{`"eventID":"e1"`, `"eventID":"e1","eventID":null`},
	{`"eventID":"e1"`, `"eventID":"e1","eventID":7`},
	{`"awsRegion":"us-east-1"`, `"awsRegion":"eu-west-1","awsRegion":"us-east-1"`},
	{`"userIdentity":{`, `"userIdentity":{"invokedBy":"first"},"userIdentity":{`},
	{`"eventTime"`, `"userIdentity":{"type":"IAMUser"},"eventTime"`},
	{`"sessionIssuer":{`, `"sessionIssuer":{"arn":"other"},"sessionIssuer":{`},
	{`"resources":[`, `"resources":[{"ARN":"a","ARNPrefix":"p"},{"ARN":"b"}],"resources":[`},
	{`"bucketName":"b"`, `"bucketName":"a","bucketName":"b"`},
	{`"requestID":"r"`, `"requestID":"r","requestID":7`},
	// Names in another case, which encoding/json takes for the field.
	{`"eventID"`, `"EVENTID"`}, {`"eventName"`, `"eventname"`}, {`"arn":"arn:aws:iam`, `"ARN":"arn:aws:iam`},
	{`"requestParameters"`, `"RequestParameters"`}, {`"sessionIssuer"`, `"ſessionIssuer"`}, {`"sessionIssuer"`, `"SESSIONISSUER"`},
	{`"userIdentity"`, `"userIdentitY"`}, {`"bucketName"`, `"BUCKETNAME"`}, {`"ARN":"arn:aws:s3`, `"arn":"arn:aws:s3`},
	{`"requestID":"r"`, `"requestID":"r","eventid":"e2"`}, {`"requestID":"r"`, `"requestID":"r","EventCategory":"Management"`},
	{`"requestID":"r"`, `"requestID":"r","KELVIN\u212a":1,"` + "\u212a" + `ey":2`},
	// Escapes, in names and in values.
	{`"eventID"`, `"event\u0049D"`}, {role, strings.ReplaceAll(role, "/", `\/`)}, {role, `\u0061` + role[1:]}, {role, role + `\u0000`},
	{`"key":"k/1"`, `"key":"k\u00fc\"\\\/\b\f\n\r\t\ud83d\ude00"`}, {`"key":"k/1"`, `"key":"\ud800"`}, {`"key":"k/1"`, `"k\u0065y":"esc"`},
	{`"key":"k/1"`, `"key":"\x"`}, {`"key":"k/1"`, `"key":"\u12"`}, {`"key":"k/1"`, `"key":"\u12g4"`}, {`"key":"k/1"`, `"key":"\`},
	{`"eventID":"e1"`, `"eventID":"\u0065"`}, {`"eventCategory":"Data"`, `"eventCategory":"\u0044ata"`}, {`"eventSource":"s3`, `"eventSource":"\u00733`},
	{`"eventSource":"s3.amazonaws.com"`, `"eventSource":"iam\u002eamazonaws.com"`},
	{`"eventTime":"2026-10-01T10:00:00Z"`, `"eventTime":"2026-10-01T10:00:00\u005a"`},
	// No UTF-8, and control characters.
	{`"key":"k/1"`, "\"key\":\"k\xff\xfe\""}, {`"key":"k/1"`, "\"k\xffy\":\"v\""}, {`"eventName":"GetObject"`, "\"eventName\":\"Get\x80\""}, {`"eventID"`, "\"event\xc9D\""},
	{`"key":"k/1"`, "\"key\":\"a\tb\""}, {`"key":"k/1"`, "\"key\":\"a\x00b\""}, {`"key":"k/1"`, "\"ke\ny\":1"}, {`"key":"k/1"`, "\"key\":\"\x7f\u2028\""},
	// JSON of another kind than the field's.
	{`"eventID":"e1"`, `"eventID":7`}, {`"eventID":"e1"`, `"eventID":""`}, {`"eventID":"e1"`, `"eventID":null`}, {`"eventID":"e1",`, ``},
	{`"eventName":"GetObject"`, `"eventName":["GetObject"]`}, {`"eventName":"GetObject"`, `"eventName":""`}, {`"eventSource":"s3.amazonaws.com"`, `"eventSource":{}`},
	{`"eventTime":"2026-10-01T10:00:00Z"`, `"eventTime":null`}, {`"eventTime":"2026-10-01T10:00:00Z"`, `"eventTime":1790000000`},
	{`"userAgent":"x/1"`, `"userAgent":7`}, {`"userAgent":"x/1"`, `"userAgent":null`}, {`"userAgent":"x/1"`, `"userAgent":{"a":[]}`}, {`"errorCode"`, ``},
	{`"managementEvent":false`, `"managementEvent":"false"`}, {`"managementEvent":false`, `"managementEvent":null`}, {`"managementEvent":false`, `"managementEvent":1`},
	{`"eventCategory":"Data"`, `"eventCategory":null`}, {`"eventCategory":"Data"`, `"eventCategory":"Insight"`}, {`"eventCategory":"Data"`, `"eventCategory":true`}, {`,"eventCategory":"Data"`, ``}, {`"eventCategory":"Data"`, `"eventCategory":""`},
	{`"eventType":"AwsApiCall"`, `"eventType":"AwsAggregatedEvent"`}, {`"eventType":"AwsApiCall"`, `"eventType":false`},
	{`"readOnly":true`, `"readOnly":"true"`}, {`"readOnly":true`, `"readOnly":[{}]`}, {`"readOnly":true`, `"readOnly":1e9`}, {`"readOnly":true`, `"readOnly":1e999`},
	{`"resources":[`, `"resources":[null,`}, {`"resources":[`, `"resources":["x",`}, {`"resources":[`, `"resources":[7,`}, {`"resources":[`, `"resources":[[],`}, {`"resources":[`, `"resources":[true,`}, {`"resources":[`, `"resources":[ ],"r":[`},
	{`"ARN":"arn:aws:s3:::b/k/1"`, `"ARN":null`}, {`"ARN":"arn:aws:s3:::b/k/1"`, `"ARN":{}`}, {`"ARN":"arn:aws:s3:::b/k/1"`, `"ARNPrefix":"p"`},
	{`"sessionContext":{`, `"sessionContext":7,"x":{`}, {`"sessionContext":{`, `"sessionContext":null,"x":{`}, {`"sessionContext":{`, `"onBehalfOf":{"userId":"u"},"sessionContext":{"sourceIdentity":"s",`},
	{`"sessionIssuer":{`, `"sessionIssuer":[],"x":{`}, {`"requestID":"r"`, `"addendum":{"reason":"UPDATED_DATA","originalEventID":"e0"}`}, {`"requestID":"r"`, `"addendum":null`}, {`"requestID":"r"`, `"addendum":{"originalEventID":7}`},
	{`"requestID":"r"`, `"addendum":[]`}, {`"requestID":"r"`, `"errorCode":"AccessDenied","errorMessage":"is not authorized to perform: s3:GetObject on resource: \"x\""`},
	{`"responseElements":null`, `"responseElements":{"ERRORCODE":"X"}`}, {`"responseElements":null`, `"responseElements":{"error\u0043ode":"X"}`}, {`"responseElements":null`, `"responseElements":{"errorCode":7}`}, {`"responseElements":null`, `"responseElements":"errorCode"`}, {`"responseElements":null`, `"responseElements":{"errorMeſſage":"m","errorCode":"c"}`},
	{`"requestParameters":{`, `"requestParameters":[],"x":{`}, {`"requestParameters":{`, `"requestParameters":"` + role + `","x":{`}, {`"requestParameters":{`, `"requestParameters":null,"x":{`},
	{`"key":"k/1"`, `"key":["k"]`}, {`"key":"k/1"`, `"key":["k","l"]`}, {`"key":"k/1"`, `"key": [ 7 ]`}, {`"key":"k/1"`, `"key":7.50`}, {`"key":"k/1"`, `"key":true`}, {`"key":"k/1"`, `"key":{"a":1}`},
	{`"key":"k/1"`, `"encryptionContext":{"aws:s3:arn":"arn:x","aws:s3:arn":["arn:y"]}`}, {`"key":"k/1"`, `"encryptionContext":{"aws:s3:arn":"a"},"encryptionContext":null`},
	{`"key":"k/1"`, `"trainingJobDefinition":{"RoleArn":"` + role + `"}`}, {`"key":"k/1"`, `"trainingJobDefinition":[]`}, {`"key":"k/1"`, `"x-amz-grant-b":1,"x-amz-grant-a":2,"x-amz-grant-b":3,"x-amz-grants":"no","key*":"no"`},
	// Times that are none, or in other forms.
	{`10:00:00Z`, `24:00:00Z`}, {`10:00:00Z`, `10:60:00Z`}, {`10:00:00Z`, `10:00:60Z`}, {`10:00:00Z`, `10:00:00.5Z`}, {`10:00:00Z`, `10:00:00+02:00`}, {`10:00:00Z`, `10:00:0:Z`}, {`10:00:00Z`, `1 :00:00Z`},
	{`2026-10-01`, `2026-02-29`}, {`2026-10-01`, `2024-02-29`}, {`2026-10-01`, `2026-13-01`}, {`2026-10-01`, `2026-00-01`}, {`2026-10-01`, `2026-10-00`}, {`2026-10-01`, `2026-11-31`}, {`2026-10-01T10:00:00Z`, `0001-01-01T00:00:00Z`}, {`2026-10-01`, `0000-01-01`}, {`2026-10-01`, `9999-12-31`}, {`2026-10-01`, `1969-12-31`}, {`T10`, `t10`},
	// What stands between strings.
	{`"readOnly":true`, `"readOnly":tru`}, {`"readOnly":true`, `"readOnly":nul`}, {`"readOnly":true`, `"readOnly":True`}, {`"readOnly":true`, `"readOnly":01`}, {`"readOnly":true`, `"readOnly":-`}, {`"readOnly":true`, `"readOnly":1.`}, {`"readOnly":true`, `"readOnly":1e`}, {`"readOnly":true`, `"readOnly":+1`}, {`"readOnly":true`, `"readOnly":-0.0E-7`}, {`"readOnly":true`, `"readOnly":.5`}, {`"readOnly":true`, `"readOnly":1 2`},
	{`"readOnly":true`, `"readOnly"true`}, {`"readOnly":true`, `"readOnly"::true`}, {`"readOnly":true`, `"readOnly":true,`}, {`"readOnly":true,`, `"readOnly":true `}, {`"readOnly":true`, `readOnly:true`}, {`"readOnly":true`, `'readOnly':true`}, {`"readOnly":true`, "\"readOnly\" \t\n\r:\n true \n"}, {`"readOnly":true`, "\"readOnly\":\vtrue"}, {`"readOnly":true`, "\"readOnly\":\u00a0true"}, {`"readOnly":true`, `"readOnly":\"true`}, {`"readOnly":true`, `\"readOnly":true`},
	{`"key":"k/1"}`, `"key":"k/1"]`}, {`"key":"k/1"}`, `"key":"k/1"}}`}, {`"key":"k/1"}`, `"key":"k/1"`}, {`"key":"k/1"`, `"key":[1,2,]`}, {`"key":"k/1"`, `"key":[,1]`}, {`"key":"k/1"`, `"key":[1 2]`}, {`"key":"k/1"`, `"key":[]`}, {`"key":"k/1"`, `"key":[ ]`}, {`"key":"k/1"`, `"key":{ }`}, {`"key":"k/1"`, `"key":{,}`}, {`"key":"k/1"`, `"key":{"a"}`}, {`"key":"k/1"`, `"key":{"a":}`}, {`"key":"k/1"`, `"key":{"a":1,}`}, {`"key":"k/1"`, `"":""`}, {`"key":"k/1"`, `"key":[{"a":[{"b":[1,{"c":null}]}]}]`},
	{`"key":"k/1"`, `"key":` + strings.Repeat("[", 55) + strings.Repeat("]", 55)}, {`"key":"k/1"`, `"key":` + strings.Repeat("[", 70) + strings.Repeat("]", 70)}, {`"key":"k/1"`, `"key":` + strings.Repeat(`{"a":`, 90) + "1" + strings.Repeat("}", 90)}, {`"key":"k/1"`, `"key":` + strings.Repeat("[", 99) + strings.Repeat("]", 99)}, {`"key":"k/1"`, `"key":` + strings.Repeat("[", 98) + strings.Repeat("]", 98)}, {`"key":"k/1"`, `"key":` + strings.Repeat("[", 20000)},
	{`"key":"k/1"`, `"key":"` + strings.Repeat("x", 70_000) + `"`}, {`"key":"k/1"`, `"key":"` + strings.Repeat(`\\`, 3000) + `"`}, {`"key":"k/1"`, `"key":"` + strings.Repeat("\u00fc", 3000) + `"`}, {`"key":"k/1"`, `"key":` + strings.Repeat("7", 3000)}, {`"key":"k/1"`, `"key":` + strings.Repeat(" ", 3000) + `1`},
	{`"key":"k/1"`, `"key":"}]},{\"eventVersion\":\"1.11\""`}, {`"key":"k/1"`, `"key":"},{","x":"eventVersion"`},
	{`"bucketName":"b"`, `"roleArn":"` + role + `"`}, {`"bucketName":"b"`, `"a":{"b":["` + role + `"]}`},
	{`{"eventVersion"`, `[{"eventVersion"`}, {`"eventCategory":"Data"}`, `"eventCategory":"Data"}]`}, {base, `null`}, {base, `7`}, {base, `"x"`}, {base, `[]`}, {base, `{}`}, {base, ``}, {base, `true`}, {base, `12`}, {base, `-`},
}

// heads are files around records.
var heads = []string{
	``, ` `, `{`, `{}`, `[]`, `null`, `7`, "\xef\xbb\xbf" + `{"Records":[]}`, `{"Records":[]}`, `{"Records":[]} `, ` { "Records" : [ ] } ` + "\n", `{"Records":null}`, `{"Records":{}}`, `{"records":[]}`, `{"\u0052ecords":[]}`,
	`{"Records":[]`, `{"Records":[`, `{"Records":`, `{"Rec`, `{"Records":[],"x":1}`, `{"x":1,"Records":[]}`, `{"Records":[]}{}`, `{"Records":[]}x`, `{"Records":[],"Records":[]}`, `{"Records":[,]}`, `{"Records":[]]`, `{"Records"[]}`, `{"Records":[}`, `{"Records":[{}}`,
	`{"digestEndTime":"x"}`, `{"` + strings.Repeat("x", 100_000) + `":1}`, `{` + strings.Repeat(" ", 5000) + `"Records":[]}`, `{"Records":[` + strings.Repeat("\n", 5000) + `]}`, `{7:[]}`, `{"Records" "x"}`, `{"Rec\ords":[]}`, `{"Records":[]}` + "\x00",
}

func TestHostileRecords(t *testing.T) {
	r := newReaders(map[string]bool{role: true})
	for _, text := range heads {
		r.compare(t, []byte(text))
	}
	kept := 0
	for _, h := range hostile {
		record := strings.Replace(base, h[0], h[1], 1)
		for _, file := range []string{
			`{"Records":[` + record + `]}`,
			`{"Records":[` + base + `,` + record + `,` + base + `]}`,
			"{\"Records\" : [\n " + base + " ,\n" + record + "\r\n, " + record + "] }\n",
			`{"Records":[` + base + `,` + record,
		} {
			r.compare(t, []byte(file))
		}
		kept += len(plainly([]byte(`{"Records":[`+record+`]}`), r.asked).Calls)
	}
	if kept < len(hostile)/3 {
		t.Errorf("only %d of %d records are kept: the base is wrong", kept, len(hostile))
	}
}

// Every cut of a file, and every byte of a record changed to what may hurt.
func TestHostileBytes(t *testing.T) {
	r := newReaders(map[string]bool{role: true})
	file := `{"Records":[` + base + `,` + base + `]}`
	for i := range file {
		r.compare(t, []byte(file[:i]))
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	for i := 0; i < len(file); i += step {
		for _, c := range []byte("\"\\{}[],: x0\x00\n\xff") {
			text := []byte(file)
			text[i] = c
			r.compare(t, text)
		}
	}
}

// corpusRoles are the roles that a corpus is asked for.
func corpusRoles(o trailgen.Options) map[string]bool {
	roles := make(map[string]bool)
	for _, arn := range o.RoleARNs() {
		roles[arn] = true
	}
	return roles
}

// Generated files, and the same with parts of them changed, moved, doubled and cut out.
func TestGeneratedFiles(t *testing.T) {
	o := trailgen.Options{Seed: 7, PerFile: 300, Hits: 0.2, Shuffled: 0.3, Escaped: 0.2, Twice: 0.05}
	r := newReaders(corpusRoles(o))
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	var texts [][]byte
	for i := range 4 {
		texts = append(texts, o.JSON(i))
		r.compare(t, texts[i])
	}
	random := rand.New(rand.NewPCG(1, 2))
	var records []string
	var f struct{ Records []json.RawMessage }
	if err := json.Unmarshal(texts[0], &f); err != nil {
		t.Fatal(err)
	}
	for _, raw := range f.Records {
		records = append(records, string(raw))
	}
	for range rounds {
		var b strings.Builder
		b.WriteString(`{"Records":[`)
		for n := range 1 + random.IntN(6) {
			if n > 0 {
				b.WriteByte(',')
			}
			record := records[random.IntN(len(records))]
			for random.IntN(2) == 0 {
				record = mutate(random, record)
			}
			b.WriteString(record)
		}
		b.WriteString(`]}`)
		r.compare(t, []byte(b.String()))
	}
	if r.scanner.shapes.nodes == 0 {
		t.Error("no shape was learned")
	}
}

var pieces = []string{`"`, `\`, `{`, `}`, `[`, `]`, `,`, `:`, ` `, "\n", "\x00", "\xff", `\u0041`, `\"`, `null`, `true`, `0`, `-1.5e3`, `""`, `{}`, `[]`, `"x":1,`, `"eventID":"x",`, `"EVENTNAME":"y",`, `,"arn":"z"`, `"` + "\u212a" + `"`}

// mutate changes a record in one place.
func mutate(r *rand.Rand, record string) string {
	if record == "" {
		return pieces[r.IntN(len(pieces))]
	}
	i := r.IntN(len(record))
	j := min(len(record), i+r.IntN(1+1<<r.IntN(8)))
	switch r.IntN(4) {
	case 0:
		return record[:i] + pieces[r.IntN(len(pieces))] + record[i:]
	case 1:
		return record[:i] + record[j:]
	case 2:
		k := r.IntN(len(record))
		return record[:k] + record[i:j] + record[k:]
	}
	return record[:i] + pieces[r.IntN(len(pieces))] + record[j:]
}

// FuzzFile: any text means to the scanner what it means to encoding/json.
func FuzzFile(f *testing.F) {
	o := trailgen.Options{Seed: 3, PerFile: 40, Hits: 0.3, Shuffled: 0.2, Escaped: 0.2}
	known := o.JSON(0)
	roles := corpusRoles(o)
	roles[role] = true
	for _, h := range hostile {
		f.Add([]byte(`{"Records":[` + strings.Replace(base, h[0], h[1], 1) + `,` + base + `]}`))
	}
	for _, text := range heads {
		f.Add([]byte(text))
	}
	small := trailgen.Options{Seed: 4, PerFile: 2, Hits: 1}
	for i := range 8 {
		f.Add(small.JSON(i))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := newReaders(roles)
		scanned(r.scanner, bytes.NewReader(known), r.asked)
		scanned(r.scanner, strings.NewReader(fmt.Sprintf(`{"Records":[%s,%[1]s]}`, base)), r.asked)
		r.compare(t, text)
	})
}
