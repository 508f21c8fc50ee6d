package trailgen

import (
	"encoding/json"
	"testing"
)

func TestCorpus(t *testing.T) {
	o := Options{PerFile: 3000}
	a, b := o.JSON(3), o.JSON(3)
	if string(a) != string(b) {
		t.Error("the same file is not the same twice")
	}
	var f struct {
		Records []json.RawMessage `json:"Records"`
	}
	if err := json.Unmarshal(a, &f); err != nil || len(f.Records) != 3000 {
		t.Fatal(len(f.Records), err)
	}
	if mean := len(a) / 3000; mean < 1700 || mean > 2100 {
		t.Errorf("%d bytes a record, want about 1,900", mean)
	}
}
