// Trailbench measures how fast log files are read, against decompression alone and the
// tools that people use for it, and how much memory the reading takes (make bench).
//
// Machines are shared and noisy: all are run in turn, round by round, and only shares of
// the same round are compared. Every run is a process of its own; its peak memory is
// what the operating system accounts for (ru_maxrss).
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"

	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles"
	"sagemaker-role-audit/internal/collect/trailfiles/trailgen"
)

var (
	sizes   = flag.String("gb", "0.2", "sizes of the corpus in GB of JSON, comma separated; the first is raced")
	rounds  = flag.Int("rounds", 5, "rounds")
	seed    = flag.Uint64("seed", 1, "of the corpus")
	keep    = flag.String("dir", "", "where the corpus is kept (a folder of the system that is removed, when empty)")
	tools   = flag.Bool("tools", true, "race the users' tools as well")
	callers = flag.Int("roles", 1, "that make the million calls")
	calls   = flag.Int("calls", 1_000_000, "of them")
	child   = flag.String("child", "", "on a folder: ours, gunzip or generate")
)

func main() {
	flag.Parse()
	var err error
	if *child != "" {
		err = runChild(*child, flag.Arg(0))
	} else {
		err = bench()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "trailbench:", err)
		os.Exit(1)
	}
}

// corpus is the corpus of a size: files of 5 MB.
func corpus(gb float64) trailgen.Options {
	return trailgen.Options{Seed: *seed, Files: max(1, int(gb*200)), PerFile: 2600}
}

func bench() error {
	dir := *keep
	if dir == "" {
		temp, err := os.MkdirTemp("", "trailbench")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		dir = temp
	}
	// A child's accounts begin with what its parent held: this process stays small.
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i, size := range strings.Split(*sizes, ",") {
		gb, err := strconv.ParseFloat(size, 64)
		if err != nil {
			return err
		}
		logs := filepath.Join(dir, size)
		if _, err := os.Stat(filepath.Join(logs, "whole")); err != nil {
			if err := room(dir, gb); err != nil {
				return err
			}
			if _, err := (runner{name: "the generator", args: []string{self, "-child", "generate", "-gb", size, "-seed", strconv.FormatUint(*seed, 10), logs}}).run(); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(logs, "whole"), nil, 0o644); err != nil {
				return err
			}
		}
		if i == 0 {
			err = race(self, dir, logs, gb)
		} else {
			err = alone(self, logs, gb)
		}
		if err != nil {
			return err
		}
	}
	return objects(self)
}

// objects reads a million distinct S3 objects, with ten thousand roles in scope.
func objects(self string) error {
	for _, callers := range []int{1, 10_000} {
		m, err := runner{name: "trailfiles", args: []string{self, "-child", "million", "-roles", strconv.Itoa(callers)}}.run()
		if err != nil {
			return err
		}
		fmt.Printf("1,000,000 distinct S3 objects by %d of 10,000 roles in scope: %.1f s, peak %.0f MB (the goal is less than 256), %s\n", callers, m.wall, float64(m.peak)/1e6, m.answer)
	}
	return nil
}

// room errs where the disk has no room for a corpus: it shrinks sixfold.
func room(dir string, gb float64) error {
	var s syscall.Statfs_t
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := syscall.Statfs(dir, &s); err != nil {
		return err
	}
	if free := float64(s.Bavail) * float64(s.Bsize) / 1e9; free < gb/2 {
		return fmt.Errorf("%s has %.1f GB free, a corpus of %.1f GB wants %.1f", dir, free, gb, gb/2)
	}
	return nil
}

// runner is what races: a command, and what it prints of interest.
type runner struct {
	name string
	args []string
	note string
}

// measured is one run: seconds by the clock and of the processors, bytes at the peak.
type measured struct {
	wall, cpu float64
	peak      int64
	answer    string
}

func (r runner) run() (m measured, err error) {
	cmd := exec.Command(r.args[0], r.args[1:]...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	out, err := cmd.Output()
	m.wall = time.Since(start).Seconds()
	if err != nil {
		return m, fmt.Errorf("%s: %w", r.name, err)
	}
	m.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		m.peak = usage.Maxrss << 10 // Linux counts in kilobytes
	}
	m.answer = strings.TrimSpace(string(out))
	return m, nil
}

func race(self, dir, logs string, gb float64) error {
	runners := []runner{
		{name: "gunzip alone (klauspost)", args: []string{self, "-child", "gunzip", logs}},
		{name: "trailfiles", args: []string{self, "-child", "ours", "-gb", strconv.FormatFloat(gb, 'g', -1, 64), "-seed", strconv.FormatUint(*seed, 10), logs}},
	}
	var absent []string
	if *tools {
		users, missing, err := usersTools(dir, logs, corpus(gb).RoleARNs())
		if err != nil {
			return err
		}
		runners, absent = append(runners, users...), missing
	}
	runs := make([][]measured, len(runners))
	for range *rounds {
		for i, r := range runners {
			m, err := r.run()
			if err != nil {
				return err
			}
			runs[i] = append(runs[i], m)
		}
	}
	fmt.Printf("\nCloudTrail log files: %g GB of JSON in %d files, %d rounds in turn, %d processors\n", gb, corpus(gb).Files, *rounds, runtime.GOMAXPROCS(0))
	fmt.Printf("%-26s %9s %14s %7s %9s %9s %8s  %s\n", "", "median s", "spread", "share", "CPU s", "CPU share", "peak MB", "calls found")
	for i, r := range runners {
		of := func(f func(first, m measured) float64) []float64 {
			var list []float64
			for n, m := range runs[i] {
				list = append(list, f(runs[0][n], m))
			}
			return list
		}
		wall := of(func(_, m measured) float64 { return m.wall })
		fmt.Printf("%-26s %9.2f %14s %7.2f %9.2f %9.2f %8.0f  %s\n", r.name, median(wall), fmt.Sprintf("%.2f-%.2f", slices.Min(wall), slices.Max(wall)),
			median(of(func(first, m measured) float64 { return first.wall / m.wall })), median(of(func(_, m measured) float64 { return m.cpu })),
			median(of(func(first, m measured) float64 { return first.cpu / m.cpu })),
			slices.Max(of(func(_, m measured) float64 { return float64(m.peak) / 1e6 })), cmp.Or(r.note, runs[i][0].answer))
	}
	for _, name := range absent {
		fmt.Printf("%-28s skipped: not on this machine\n", name)
	}
	fmt.Println("share: gunzip's time of the same round through this one's; the goal of trailfiles is 0.80")
	return nil
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// alone reads a corpus once, for its memory.
func alone(self, logs string, gb float64) error {
	m, err := runner{name: "trailfiles", args: []string{self, "-child", "ours", "-gb", strconv.FormatFloat(gb, 'g', -1, 64), logs}}.run()
	if err != nil {
		return err
	}
	fmt.Printf("trailfiles on %g GB: %.2f s, peak %.0f MB, %s\n", gb, m.wall, float64(m.peak)/1e6, m.answer)
	return nil
}

func runChild(what, logs string) error {
	gb, err := strconv.ParseFloat(*sizes, 64)
	if err != nil {
		return err
	}
	switch what {
	case "gunzip":
		return gunzip(logs)
	case "million":
		return readMillion(*callers, *calls)
	case "generate":
		return trailgen.Write(logs, corpus(gb))
	}
	roles := make(map[string]bool)
	for _, arn := range corpus(gb).RoleARNs() {
		roles[arn] = true
	}
	d, err := trailfiles.OpenDir(logs)
	if err != nil {
		return err
	}
	defer d.Close()
	ctx := context.Background()
	listing, err := trailfiles.Find(ctx, d, "", trailfiles.Filter{Source: "bench"})
	if err != nil {
		return err
	}
	result, err := trailfiles.Read(ctx, []*trailfiles.Listing{listing}, trailfiles.Options{
		Roles: roles,
		Keep:  func(k *snapshot.UseKey, _ time.Time) bool { return roles[k.Role.ARN] },
	})
	if err != nil {
		return err
	}
	if len(result.Gaps) > 0 || result.Files != corpus(gb).Files {
		return fmt.Errorf("%d files, gaps %v", result.Files, result.Gaps)
	}
	groups := 0
	for range result.Usage() {
		groups++
	}
	fmt.Printf("%d calls in %d groups\n", result.Kept, groups)
	return nil
}

// gunzip decompresses all files with as many goroutines as trailfiles has.
func gunzip(logs string) error {
	var names []string
	err := filepath.WalkDir(logs, func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".gz") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		fail  error
		next  = make(chan string)
	)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			zip := new(gzip.Reader)
			for name := range next {
				if err := gunzipFile(name, zip); err != nil {
					mu.Lock()
					fail = errors.Join(fail, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, name := range names {
		next <- name
	}
	close(next)
	group.Wait()
	return fail
}

func gunzipFile(name string, zip *gzip.Reader) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := zip.Reset(f); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, zip)
	return err
}

// usersTools are the tools of the machine that can answer the question, each with two
// processes or threads where it has none of its own.
func usersTools(dir, logs string, arns []string) (found []runner, absent []string, err error) {
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		err = errors.Join(err, os.WriteFile(name, []byte(text), 0o644))
		return name
	}
	list, _ := json.Marshal(arns)
	roles := write("roles.json", string(list))
	processes := strconv.Itoa(runtime.GOMAXPROCS(0))

	if path, lookErr := exec.LookPath("python3"); lookErr == nil {
		found = append(found, runner{name: "python3 x" + processes, args: []string{path, write("read.py", pythonScript), logs, roles, processes}})
	} else {
		absent = append(absent, "python3")
	}
	if path, lookErr := exec.LookPath("jq"); lookErr == nil {
		filter := write("filter.jq", jqFilter)
		script := `find "$1" -name '*.gz' -print0 | xargs -0 -P "$4" -n 8 sh -c 'f=$1; r=$2; shift 2; for g; do gzip -dc "$g"; done | "` + path + `" --slurpfile roles "$r" -f "$f"' _ "$2" "$3" | awk '{n+=$1} END {print n}'`
		found = append(found, runner{name: "gzip + jq x" + processes, args: []string{"sh", "-c", script, "_", logs, filter, roles, processes}})
	} else {
		absent = append(absent, "jq")
	}
	if path, lookErr := exec.LookPath("rg"); lookErr == nil {
		found = append(found, runner{name: "rg -z (finds text only)", args: []string{path, "-z", "-o", "-c", "-F", "-f", write("roles.txt", strings.Join(arns, "\n")), logs}, note: "not counted by record"})
	} else {
		absent = append(absent, "rg")
	}
	if path, lookErr := exec.LookPath("duckdb"); lookErr == nil {
		found = append(found, runner{name: "DuckDB", args: []string{path, "-noheader", "-list", "-c", fmt.Sprintf(duckQuery, logs, roles)}})
	} else if python, lookErr := exec.LookPath("python3"); lookErr == nil && exec.Command(python, "-c", "import duckdb").Run() == nil {
		found = append(found, runner{name: "DuckDB", args: []string{python, "-c", "import duckdb,sys; print(duckdb.sql(sys.argv[1]).fetchone()[0])", fmt.Sprintf(duckQuery, logs, roles)}})
	} else {
		absent = append(absent, "DuckDB")
	}
	return found, absent, err
}

const pythonScript = `import collections, glob, gzip, json, multiprocessing, sys
roles = set(json.load(open(sys.argv[2])))
def read(name):
    groups, ids = collections.Counter(), {}
    for r in json.load(gzip.open(name))["Records"]:
        arn = r["userIdentity"].get("sessionContext", {}).get("sessionIssuer", {}).get("arn")
        if arn in roles:
            ids[r["eventID"]] = (arn, r["eventSource"], r["eventName"], r.get("errorCode"), r["awsRegion"], tuple(x.get("ARN") for x in r.get("resources", [])))
    return ids
if __name__ == "__main__":
    ids = {}
    with multiprocessing.Pool(int(sys.argv[3])) as pool:
        for part in pool.imap_unordered(read, glob.glob(sys.argv[1] + "/**/*.gz", recursive=True)):
            ids.update(part)
    print(len(ids))
`

const jqFilter = `($roles[0] | map({(.): true}) | add) as $in
| [.Records[] | select($in[.userIdentity.sessionContext.sessionIssuer.arn? // ""]) | .eventID] | unique | length
`

const duckQuery = `SELECT count(DISTINCT r.eventID) FROM (SELECT unnest(Records) r FROM read_json('%s/**/*.gz',
columns={Records: 'STRUCT(eventID VARCHAR, eventSource VARCHAR, eventName VARCHAR, errorCode VARCHAR, awsRegion VARCHAR, userIdentity STRUCT(sessionContext STRUCT(sessionIssuer STRUCT(arn VARCHAR))))[]'}, maximum_object_size=100000000))
WHERE r.userIdentity.sessionContext.sessionIssuer.arn IN (SELECT unnest(json) FROM read_json('%s', columns={json: 'VARCHAR'}))`
