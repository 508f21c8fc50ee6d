package snapshot

import (
	"bytes"
	"strings"
	"testing"
)

// TestReadHead: what stands before the evidence is read as Read does, from a file that
// breaks off behind it as well.
func TestReadHead(t *testing.T) {
	want := example()
	data := write(t, want)
	cut := data[:bytes.Index(data, []byte(`"roles": [`))]
	for name, file := range map[string][]byte{"plain": data, "gzip": zipped(t, data), "cut": cut} {
		got, err := ReadHead(bytes.NewReader(file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !got.TakenAt.Equal(want.TakenAt) || got.Account != want.Account || len(got.Gaps) != len(want.Gaps) || got.Complete() != want.Complete() || got.Roles != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for text, why := range map[string]string{"": "not a snapshot", "{}": "not a snapshot", string(data[:300]): "truncated",
		strings.Replace(string(data), `"schemaVersion": 2`, `"schemaVersion": 7`, 1): "schema version 7"} {
		if _, err := ReadHead(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.40q: error %v, want %q", text, err, why)
		}
	}
}
