package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/collect/awssim"
)

// TestHistoryStory lives the thirty days of TestDriftStory as cron would: one run a day
// against one history. A day on which the account changed exits 3 and prints the one
// change; any other prints nothing at all and exits 0.
func TestHistoryStory(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIASTORY", "AWS_SECRET_ACCESS_KEY": "story", "AWS_REGION": "us-east-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	s := begin()
	day := func(t *testing.T, want int, more ...string) string {
		t.Helper()
		s.account.Now = s.today
		url, stop, err := awssim.New(s.account).Start()
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		args := append([]string{"run", "--endpoint-url", url, "--as-of", s.today.Format(time.RFC3339), "--lookup-rate", "1000", "--quiet",
			"--history", dir, "--history-keep", "2", "--width", "200"}, more...)
		stdout, stderr := audit(t, want, args...)
		if (want == exitOK) != (stderr == "") {
			t.Errorf("exit %d, stderr %q", want, stderr)
		}
		return stdout
	}
	if out := day(t, exitOK, "--only-changes", "-o", "summary"); !strings.Contains(out, "no baseline to compare with") {
		t.Errorf("the first run prints %q", out)
	}
	silent := 0
	for _, d := range theStory {
		s.today = s.today.AddDate(0, 0, 1)
		s.routine(s.today)
		if d.mutate != nil {
			d.mutate(s)
		}
		if d.kind == "" {
			silent++
			if out := day(t, exitOK, "--only-changes", "--fail-on-change", "any"); out != "" {
				t.Errorf("%s: nothing changed, and it prints\n%s", d.name, out)
			}
			continue
		}
		if out := day(t, exitFindings, "--only-changes", "--fail-on-change", "any"); !strings.Contains(out, string(d.kind)+"; ") || !strings.Contains(out, " change") && !strings.Contains(out, " widening") {
			t.Errorf("%s: prints\n%s", d.name, out)
		}
	}
	if silent < 5 {
		t.Errorf("%d days without a change", silent)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("the history holds %v, %v", entries, err)
	}
}
