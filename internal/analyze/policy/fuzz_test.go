package policy

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"Statement":[{"Sid":"a","Effect":"Deny","NotAction":["s3:*"],"NotResource":["arn:aws:s3:::${aws:username}"],"Condition":{"Bool":{"k":[true,"false",1.5e3]}}}]}`,
		`{"Id":"\u00e9\ud83d\ude00","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["1"]},"Action":[]}]}`,
		`{"Statement":[]} `, `{"Statement":[],"Statement":[]}`, `{"Statement":{"Effect":"allow"}}`, `[`, "{\"Statement\":\"\x80\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			e, ok := err.(*SyntaxError)
			if !ok || e.Offset < 0 || e.Offset > int64(len(data)) || !strings.HasPrefix(e.Path, "$") {
				t.Fatalf("%#v", err)
			}
			return
		}
		printed := d.Print()
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("%v: printed %s", err, printed)
		}
		if !bytes.Equal(again.Print(), printed) || again.Size() != d.Size() {
			t.Fatalf("printed %s, again %s", printed, again.Print())
		}
		r := Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/a", Principal: Principal{ARN: "arn:aws:iam::111122223333:role/R", Account: "111122223333"}}
		s := Stack{Identity: []Policy{{Document: d}}, Resource: &Policy{Document: d}}
		if s.Decide(r, Must).Outcome == Allowed && s.Decide(r, May).Outcome != Allowed {
			t.Fatalf("E- allows what E+ refuses: %s", printed)
		}
	})
}

// globPlain is the definition of *, ? and nothing else.
func globPlain(pattern, text []rune) bool {
	if len(pattern) == 0 {
		return len(text) == 0
	}
	switch {
	case pattern[0] == '*':
		return globPlain(pattern[1:], text) || len(text) > 0 && globPlain(pattern, text[1:])
	case len(text) > 0 && (pattern[0] == '?' || pattern[0] == text[0]):
		return globPlain(pattern[1:], text[1:])
	}
	return false
}

func FuzzMatch(f *testing.F) {
	f.Add("s3:Get*", "s3:GetObject", "s3:*")
	f.Add("a*b?c", "aXbYc", "*?")
	f.Add("**?*", "é", "?")
	f.Fuzz(func(t *testing.T, pattern, text, other string) {
		valid := utf8.ValidString(pattern) && utf8.ValidString(text) && utf8.ValidString(other)
		if !valid || len(pattern) > 24 || len(text) > 24 || len(other) > 24 {
			return
		}
		p, q := symbolsOf(pattern, true), symbolsOf(other, true)
		got := matches(p, text)
		if want := globPlain([]rune(pattern), []rune(text)); got != want {
			t.Errorf("%q matches %q: %v", pattern, text, got)
		}
		if got && matches(q, text) && !overlap(p, q) {
			t.Errorf("%q and %q have %q in common", pattern, other, text)
		}
		if includes(p, q) && matches(q, text) && !got {
			t.Errorf("%q includes %q, but not its %q", pattern, other, text)
		}
		if overlap(p, q) != overlap(q, p) {
			t.Errorf("%q overlaps %q one way only", pattern, other)
		}
		if MatchAction(pattern, text) != MatchAction(strings.ToUpper(pattern), text) && isASCII(pattern) {
			t.Errorf("the case of %q counts for %q", pattern, text)
		}
	})
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > 0x7f }) < 0
}

func FuzzARN(f *testing.F) {
	f.Add("arn:aws:s3:::b/*", "arn:aws:s3:::b/a:c", "arn:aws:s3:*")
	f.Add("arn:aws:logs:*:log-group:/g", "arn:aws:logs:us-east-1:111122223333:log-group:/g", "arn:aws:logs:*:*:*")
	f.Add("arn:aws:iam::*:role/?", "arn:aws:iam::1:role/R", "*")
	f.Fuzz(func(t *testing.T, pattern, resource, other string) {
		if len(pattern) > 48 || len(resource) > 48 || len(other) > 48 {
			return
		}
		must, may := MatchResource(pattern, resource, Must), MatchResource(pattern, resource, May)
		if must && !may {
			t.Errorf("%q matches %q strictly only", pattern, resource)
		}
		if strings.Contains(pattern+other, "${") || strings.Count(resource, ":") < arnParts-1 {
			return
		}
		if Includes(other, pattern) && must && !MatchResource(other, resource, Must) {
			t.Errorf("%q includes %q, but not its %q", other, pattern, resource)
		}
		if may && MatchResource(other, resource, May) && !Overlaps(pattern, other) {
			t.Errorf("%q and %q have %q in common", pattern, other, resource)
		}
	})
}

func FuzzVariables(f *testing.F) {
	f.Add("arn:aws:s3:::b/${aws:username}/*", "aws:username", "alice")
	f.Add("${k, 'de}fault'}${*}${?}${$}", "k", "")
	f.Add("${${k}}${", "k", "*")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		template := parseTemplate(text, true, 0)
		closed := ClosedContext(map[string][]string{key: {value}})
		known, ok := template.resolve(&environment{context: &closed})
		open := OpenContext(nil)
		unknown, always := template.resolve(&environment{context: &open})
		if !always {
			t.Fatalf("%q has no value where nothing is known", text)
		}
		if !ok {
			return
		}
		// Whatever the values are, what matches with them may match without them.
		var sample []byte
		for _, sym := range known {
			switch sym {
			case anyRun, anyOne:
				sample = append(sample, 'x')
			case undecide:
				t.Fatalf("%q is undecided in a closed context", text)
			default:
				sample = append(sample, byte(sym))
			}
		}
		if matches(known, string(sample)) && !matches(unknown, string(sample)) {
			t.Errorf("%q with %s=%q matches %q, without it does not", text, key, value, sample)
		}
		again, _ := template.resolve(&environment{context: &closed})
		if symbolText(again) != symbolText(known) {
			t.Errorf("%q resolves differently the second time", text)
		}
	})
}

func FuzzSimulate(f *testing.F) {
	f.Add([]byte(`{"id":"1","principal":"111122223333","action":"s3:GetObject","resource":"*","context":{"k":["v",1,true]},"unknown":["x"],"scps":[[]],"boundary":null}`))
	f.Add([]byte("{}\n\n[1]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		if err := Simulate(context.Background(), bytes.NewReader(data), &out, true); err != nil && !strings.Contains(err.Error(), "line ") {
			t.Errorf("no line in %v", err)
		}
		for line := range bytes.Lines(out.Bytes()) {
			s := scanner{text: string(line)}
			s.skip()
			s.end()
		}
	})
}
