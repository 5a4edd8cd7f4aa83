// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// result is how a suite went.
type result struct {
	name             string
	packages, broken int
	passed, failures int
	skipped, later   int
	took             time.Duration
	err              error
}

func (r result) failed() bool { return r.broken > 0 || r.failures > 0 || r.err != nil }

// event is a line of `go test -json` (see go doc cmd/test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	// ImportPath comes with the output of failed builds.
	ImportPath string
}

// laterMark is in the message by which testkit.Integration skips.
const laterMark = "RASTOS_TEST_INTEGRATION is not 1"

func runSuite(ctx context.Context, w io.Writer, s suite, ci, verbose bool) result {
	r := result{name: s.name}
	packages, err := s.packages()
	if err != nil {
		fmt.Fprintf(w, "suites: %v\n", err)
		r.err = err
		return r
	}
	fmt.Fprintf(w, "\n== %s: %s\n", s.name, s.why)
	if len(packages) == 0 {
		fmt.Fprintln(w, "no package has such tests")
		return r
	}
	args := append([]string{"test", "-json"}, s.args...)
	if ci {
		args = append(args, "-count=1")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Env = append(os.Environ(), s.env...)
	// A group of its own: an interrupt reaches go test and the tests, asks them
	// to end and lets them clean up before it kills.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = time.Minute
	cmd.Stderr = w
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.err = err
		return r
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(w, "suites: run go test: %v\n", err)
		r.err = err
		return r
	}
	reader := &reader{w: w, r: &r, verbose: verbose, output: map[string]*strings.Builder{}}
	reader.read(out)
	r.err = cmd.Wait()
	r.took = time.Since(begin)
	if r.err != nil && r.broken == 0 && r.failures == 0 {
		fmt.Fprintf(w, "suites: go test: %v\n", r.err)
	}
	return r
}

// reader turns the events of go test into lines and counts.
type reader struct {
	w       io.Writer
	r       *result
	verbose bool
	output  map[string]*strings.Builder // by package and test
}

func (rd *reader) read(in io.Reader) {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				rd.event(e)
			} else {
				fmt.Fprintf(rd.w, "%s", line)
			}
		}
		if err != nil {
			return
		}
	}
}

func (rd *reader) event(e event) {
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "output":
		rd.line(key, e)
	case "build-output":
		fmt.Fprint(rd.w, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			rd.packageEnd(e)
		} else {
			rd.testEnd(e, rd.text(key))
		}
		delete(rd.output, key)
	}
}

// line keeps a test's output until its end is known, and prints what go test
// says of a whole package at once.
func (rd *reader) line(key string, e event) {
	closing := strings.HasPrefix(e.Output, "ok  \t") || strings.HasPrefix(e.Output, "FAIL\t") || strings.HasPrefix(e.Output, "panic: test timed out")
	if rd.verbose || e.Test == "" && closing {
		fmt.Fprint(rd.w, e.Output)
		return
	}
	if rd.output[key] == nil {
		rd.output[key] = &strings.Builder{}
	}
	rd.output[key].WriteString(e.Output)
}

func (rd *reader) text(key string) string {
	if b := rd.output[key]; b != nil {
		return b.String()
	}
	return ""
}

func (rd *reader) testEnd(e event, text string) {
	switch {
	case e.Action == "pass":
		rd.r.passed++
	case e.Action == "fail":
		rd.r.failures++
		fmt.Fprint(rd.w, text)
	case strings.Contains(text, laterMark):
		rd.r.later++
	default:
		rd.r.skipped++
		fmt.Fprintf(rd.w, "skip\t%s\t%s: %s\n", e.Package, e.Test, reason(text))
	}
}

// reason finds the message of a skip between go test's own lines.
func reason(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return line
		}
	}
	return "no reason given"
}

func (rd *reader) packageEnd(e event) {
	if e.Action == "skip" {
		return // no test files
	}
	rd.r.packages++
	if e.Action == "fail" {
		rd.r.broken++
		// What it printed outside its tests, and in tests that never ended:
		// panics, TestMain, a timeout with all stacks.
		rd.unfinished(e.Package)
	}
}

func (rd *reader) unfinished(pkg string) {
	var keys []string
	for key := range rd.output {
		if strings.HasPrefix(key, pkg+"\x00") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		fmt.Fprint(rd.w, rd.text(key))
		delete(rd.output, key)
	}
}
