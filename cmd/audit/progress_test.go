package main

import (
	"io"
	"testing"
	"time"

	"sagemaker-role-audit/internal/collect"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// TestProgressOfLogFiles: by files and bytes, and the time that is left only once the
// pace says something of it.
func TestProgressOfLogFiles(t *testing.T) {
	p := newProgress(io.Discard, accountNow, 90*day)
	defer p.close()
	now := accountNow
	p.clock = func() time.Time { return now }
	show := func(after time.Duration, s collect.Status, want string) {
		t.Helper()
		now = now.Add(after)
		s.Source = snapshot.SourceTrail
		p.note(s)
		if got := p.line(snapshot.SourceTrail); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	reading := func(files int, bytes int64) collect.Status {
		return collect.Status{Files: files, AllFiles: 2000, Bytes: bytes, AllBytes: 2_000_000_000, Done: files == 2000}
	}
	show(0, collect.Status{Region: "s3://a/", AllFiles: 1500, AllBytes: 1_999_000_000}, "log files          1,500  found, 2.0 GB")
	show(0, collect.Status{Region: "s3://b/", AllFiles: 500, AllBytes: 1_000_000}, "log files          2,000  found, 2.0 GB")
	show(time.Second, reading(0, 0), "log files              0  of 2,000, 0 kB of 2.0 GB")
	show(4*time.Second, reading(100, 100_000_000), "log files            100  of 2,000, 100.0 MB of 2.0 GB")
	show(4*time.Second, reading(200, 200_000_000), "log files            200  of 2,000, 200.0 MB of 2.0 GB, about 1 min left")
	show(4*time.Second, reading(1500, 1_600_000_000), "log files          1,500  of 2,000, 1.6 GB of 2.0 GB, about 3 s left")
	show(time.Second, reading(2000, 2_000_000_000), "log files          2,000  of 2,000, 2.0 GB of 2.0 GB")
	// A region that is read again begins anew.
	show(time.Second, collect.Status{Files: 1, AllFiles: 10, Bytes: 10, AllBytes: 10_000}, "log files              1  of 10, 0 kB of 10 kB")
	for d, want := range map[time.Duration]string{0: "1 s", 59 * time.Second: "59 s", 90 * time.Second: "2 min", 100 * time.Minute: "100 min", 5 * time.Hour: "5.0 h"} {
		if got := roughly(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}
