// SPDX-License-Identifier: GPL-3.0-or-later

package run_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/host/run"
)

func TestOutputIsCaptured(t *testing.T) {
	out, err := run.Runner{}.Output(t.Context(), "sh", "-c", "echo $LC_ALL; echo noise >&2")
	if err != nil || string(out) != "C\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestEnvironmentOverrides(t *testing.T) {
	r := run.Runner{Env: []string{"A=1", "B=1", "PATH=/usr/bin:/bin"}, KeepLocale: true}
	res, err := r.Run(t.Context(), run.Command{Argv: []string{"sh", "-c", "echo $A$B$LC_ALL"}, Env: []string{"B=2"}})
	if err != nil || string(res.Stdout) != "12\n" {
		t.Errorf("got %q, %v", res.Stdout, err)
	}
}

func TestFailureCarriesTheLastWords(t *testing.T) {
	script := "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i >&2; done; exit 4"
	_, err := run.Runner{}.Output(t.Context(), "sh", "-c", script)
	var ee *run.ExitError
	if !errors.As(err, &ee) || ee.Code != 4 {
		t.Fatalf("error %v, want an ExitError with code 4", err)
	}
	if !strings.HasPrefix(ee.Stderr, "line 5\n") || !strings.HasSuffix(ee.Stderr, "line 12") {
		t.Errorf("last words %q", ee.Stderr)
	}
	if _, err = (run.Runner{}).Output(t.Context(), "sh", "-c", "kill -9 $$"); !strings.Contains(err.Error(), "signal 9") {
		t.Errorf("killed: %v", err)
	}
}

func TestStreamsKeepTheirOrderInOneWriter(t *testing.T) {
	var both bytes.Buffer
	_, err := run.Runner{}.Run(t.Context(), run.Command{
		Argv: []string{"sh", "-c", "echo a; echo b >&2; echo c"}, Stdout: &both, Stderr: &both,
	})
	if err != nil || both.String() != "a\nb\nc\n" {
		t.Errorf("got %q, %v", both.String(), err)
	}
}

func TestMissingProgramNamesItsPackage(t *testing.T) {
	_, err := run.Runner{Env: []string{"PATH=/nowhere"}}.LookPath("mkfs.btrfs.not")
	var me *run.MissingError
	if !errors.As(err, &me) || me.ExitCode() != 9 {
		t.Fatalf("error %v, want a MissingError", err)
	}
	hint := (&run.MissingError{Program: "/usr/sbin/mkfs.btrfs"}).Hint()
	if hint != "Debian: apt-get install btrfs-progs; Arch: pacman -S btrfs-progs" {
		t.Errorf("hint %q", hint)
	}
}

func TestSbinIsSearchedThoughPathLacksIt(t *testing.T) {
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		list, err := filepath.Glob(dir + "/chroot")
		if err != nil || len(list) == 0 {
			continue
		}
		path, err := run.Runner{Env: []string{"PATH=/nowhere"}}.LookPath("chroot")
		if err != nil || filepath.Base(path) != "chroot" {
			t.Errorf("got %q, %v", path, err)
		}
	}
}

func TestCurrentDirectoryIsNotInThePath(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("evil", []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if path, err := (run.Runner{Env: []string{"PATH=:.:/bin"}}).LookPath("evil"); err == nil {
		t.Errorf("found %q", path)
	}
}

func TestCancelKillsTheWholeGroup(t *testing.T) {
	for name, script := range map[string]string{
		"willing":        "sleep 95.133 & sleep 95.133",
		"deaf":           "trap '' TERM; sleep 95.133; sleep 95.133; sleep 95.133",
		"deaf children":  "(trap '' TERM; sleep 95.133; sleep 95.133; sleep 95.133) & wait",
		"leader is gone": "(trap '' TERM; sleep 95.133; sleep 95.133) & exit 0",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := run.Runner{Grace: 300 * time.Millisecond}.Output(ctx, "sh", "-c", script)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("it took %v", d)
			}
			time.Sleep(20 * time.Millisecond) // the KILL has been sent, not yet been seen
			if pids := procsWith("95.133"); len(pids) > 0 {
				t.Errorf("processes %v survived", pids)
			}
		})
	}
}

func TestStartedProgramCanBeSignalled(t *testing.T) {
	p, err := run.Runner{}.Start(t.Context(), run.Command{Argv: []string{"sleep", "60"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	res, err := p.Wait()
	if res.Code != 130 || err == nil {
		t.Errorf("code %d, %v", res.Code, err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("Done is still open after Wait")
	}
}

func TestQuote(t *testing.T) {
	if got := run.Quote([]string{"a", "b c", "", "it's"}); got != `a 'b c' '' 'it'\''s'` {
		t.Errorf("got %s", got)
	}
}
