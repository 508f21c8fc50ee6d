package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/awssim"
)

// bench is what a script has on the table: its stand-in for AWS.
type bench struct {
	server  *awssim.Server
	account *awssim.Account
}

var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"standin":   cmdStandin,
	"logfiles":  cmdLogfiles,
	"fault":     cmdFault,
	"switch":    cmdSwitch,
	"reset":     cmdReset,
	"await":     cmdAwait,
	"requests":  cmdRequests,
	"readonly":  cmdReadonly,
	"calls":     cmdCalls,
	"exitcode":  cmdExitcode,
	"interrupt": cmdInterrupt,
	"mode":      cmdMode,
	"only":      cmdOnly,
	"harmless":  cmdHarmless,
	"nosecrets": cmdNosecrets,
	"lawful":    cmdLawful,
	"field":     cmdField,
}

// The credentials of scripts, which nothing may print.
const (
	scriptKeyID  = "AKIAMUSTNOTBEPRINTED"
	scriptSecret = awssim.SampleSecret + "-key"
	scriptToken  = awssim.SampleSecret + "-token"
)

func benchOf(ts *testscript.TestScript) *bench {
	b := ts.Value(bench{}).(*bench)
	if b.server == nil {
		ts.Fatalf("no stand-in yet: standin comes first")
	}
	return b
}

func arguments(ts *testscript.TestScript, neg bool, args []string, n int, usage string) {
	if neg || len(args) != n {
		ts.Fatalf("usage: %s", usage)
	}
}

// standin ACCOUNT starts a loopback AWS, points the program's environment at it
// and sets $NOW to the account's date.
func cmdStandin(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "standin sample|empty|hostile|steady|wider|elsewhere|logged")
	accounts := map[string]func() *awssim.Account{"sample": awssim.Sample, "empty": emptyAccount, "hostile": hostileAccount,
		"steady": steadyAccount, "wider": widerAccount, "elsewhere": elsewhereAccount, "logged": loggedAccount}
	account, ok := accounts[args[0]]
	if !ok {
		ts.Fatalf("unknown account %s", args[0])
	}
	b := ts.Value(bench{}).(*bench)
	b.account = account()
	b.server = awssim.New(b.account)
	url, stop, err := b.server.Start()
	ts.Check(err)
	ts.Defer(stop)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL":      url,
		"AWS_REGION":            "us-east-1",
		"AWS_ACCESS_KEY_ID":     scriptKeyID,
		"AWS_SECRET_ACCESS_KEY": scriptSecret,
		"AWS_SESSION_TOKEN":     scriptToken,
		"HOSTILE":               "no\x1b[2Jsuch\u009b\u202e\n",
		"NOW":                   b.account.Now.Format(time.RFC3339),
	} {
		ts.Setenv(name, value)
	}
}

// logfiles DIR copies the log files of the account's first trail into a folder.
func cmdLogfiles(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "logfiles DIR")
	a := benchOf(ts).account
	for key, body := range a.LogFiles(&a.Trails[0]) {
		path := filepath.Join(ts.MkAbs(args[0]), filepath.FromSlash(key))
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
		ts.Check(os.WriteFile(path, []byte(body), 0o644))
	}
}

// fault OPERATION KIND [region=R] [from=N] [times=K] breaks something.
func cmdFault(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(benchOf(ts).server.SetFault(strings.Join(args, " ")))
}

// switch NAME VALUE changes how the stand-in answers.
func cmdSwitch(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(benchOf(ts).server.SetSwitch(strings.Join(args, " ")))
}

// reset mends everything and counts from 0.
func cmdReset(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 0, "reset")
	b := benchOf(ts)
	b.server.ClearFaults()
	b.server.Reset()
}

// await OPERATION waits until a request of it has arrived since the last reset.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "await OPERATION")
	server := benchOf(ts).server
	for deadline := time.Now().Add(30 * time.Second); server.Requests(args[0]) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("no request of %s came", args[0])
		}
	}
}

// requests OPERATION N asserts how many requests of it arrived.
func cmdRequests(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, "requests OPERATION N")
	if got := strconv.Itoa(benchOf(ts).server.Requests(args[0])); got != args[1] {
		ts.Fatalf("%s requests of %s, want %s", got, args[0], args[1])
	}
}

// readonly asserts that nothing was asked for outside the stand-in's read list.
func cmdReadonly(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 0, "readonly")
	if v := benchOf(ts).server.Violations(); len(v) > 0 {
		ts.Fatalf("asked for more than reads: %v", v)
	}
}

// calls REPORT asserts that the report counts exactly the requests that arrived.
func cmdCalls(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "calls REPORT.json")
	got := readReport(ts, args[0]).Calls
	want := make(map[string]int)
	for _, c := range benchOf(ts).server.Counts() {
		want[c.Operation] += c.Requests
	}
	if len(want) == 0 || !maps.Equal(got, want) {
		ts.Fatalf("the report counts %v, the stand-in %v", got, want)
	}
}

// exitcode N COMMAND [ARG...] runs a command and asserts its exit code.
func cmdExitcode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode N COMMAND [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	code := 0
	if exit != nil {
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit %d, want %s", code, args[0])
	}
}

// interrupt SIGNAL OPERATION COMMAND [ARG...] sends the signal as soon as a
// request of the operation has arrived, and asserts exit code 130 within a
// second and an empty standard output.
func cmdInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupt INT|TERM OPERATION COMMAND [ARG...]")
	}
	signal := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM}[args[0]]
	server := benchOf(ts).server
	before := server.Requests(args[1])
	path, err := exec.LookPath(args[2])
	for _, dir := range strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		if p, found := exec.LookPath(dir + "/" + args[2]); found == nil {
			path, err = p, nil
			break
		}
	}
	ts.Check(err)
	cmd := exec.Command(path, args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID",
		"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_EC2_METADATA_DISABLED", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ts.Check(cmd.Start())
	for deadline := time.Now().Add(30 * time.Second); server.Requests(args[1]) == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			ts.Fatalf("no request of %s came; stderr: %s", args[1], stderr.String())
		}
	}
	sent := time.Now()
	ts.Check(cmd.Process.Signal(signal))
	cmd.Wait()
	if took := time.Since(sent); took > time.Second {
		ts.Fatalf("stopped after %s", took)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		ts.Fatalf("exit %d, want %d; stderr: %s", code, exitInterrupted, stderr.String())
	}
	if stdout.Len() > 0 {
		ts.Fatalf("an interrupted run printed: %s", stdout.String())
	}
	if got, want := stderr.String(), "audit: interrupted\n"; got != want {
		ts.Fatalf("stderr %q, want %q", got, want)
	}
}

// mode PERM FILE asserts a file's permissions.
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, "mode PERM FILE")
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// only DIR [FILE...] asserts that a directory holds these files and no others,
// temporary ones included.
func cmdOnly(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: only DIR [FILE...]")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	want := slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(names, want) {
		ts.Fatalf("%s holds %q, want %q", args[0], names, want)
	}
}

// harmless FILE... asserts that printing a file cannot drive a terminal: no
// control, format or separator characters but newlines.
func cmdHarmless(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args {
		text := ts.ReadFile(file)
		if text == "" {
			ts.Fatalf("%s is empty", file)
		}
		if !utf8.ValidString(text) {
			ts.Fatalf("%s is not UTF-8", file)
		}
		for i, r := range text {
			if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				ts.Fatalf("%s holds %U at byte %d: %q", file, r, i, text[max(0, i-40):min(len(text), i+40)])
			}
		}
	}
}

// nosecrets FILE... asserts that no credential and no hyperparameter's value
// stands in a file.
func cmdNosecrets(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args {
		text := ts.ReadFile(file)
		for _, secret := range []string{awssim.SampleSecret, scriptKeyID} {
			if at := strings.Index(text, secret); at >= 0 {
				ts.Fatalf("%s holds %s: %q", file, secret, text[max(0, at-60):at])
			}
		}
	}
}

// lawful REPORT asserts that a report fits its schema and that its counts add up.
func cmdLawful(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "lawful REPORT.json")
	ts.Check(checkReport([]byte(ts.ReadFile(args[0]))))
}

// field REPORT PATH VALUE compares a value of a JSON file, as JSON; PATH is
// dot-separated, "#" is an array's length.
func cmdField(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 3, "field FILE.json PATH VALUE")
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	for _, key := range strings.Split(args[1], ".") {
		switch w := v.(type) {
		case map[string]any:
			v = w[key]
		case []any:
			if key == "#" {
				v = len(w)
				continue
			}
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(w) {
				ts.Fatalf("%s: no element %s of %d", args[1], key, len(w))
			}
			v = w[i]
		default:
			ts.Fatalf("%s: nothing at %s", args[1], key)
		}
	}
	got, err := json.Marshal(v)
	ts.Check(err)
	if string(got) != args[2] {
		ts.Fatalf("%s is %s, want %s", args[1], got, args[2])
	}
}

func readReport(ts *testscript.TestScript, file string) *report.Report {
	r := new(report.Report)
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), r))
	return r
}
