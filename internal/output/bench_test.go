package output

import (
	"io"
	"testing"
)

func BenchmarkWrite(b *testing.B) {
	r := crowd(200)
	for _, f := range Formats {
		b.Run(string(f), func(b *testing.B) {
			for b.Loop() {
				if err := Write(io.Discard, f, r, Options{Width: 120}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
