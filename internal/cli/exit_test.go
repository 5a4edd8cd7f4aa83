// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/schema"
)

type coded int

func (c coded) Error() string { return "coded" }
func (c coded) ExitCode() int { return int(c) }

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, ExitOK},
		{errors.New("x"), ExitFailure},
		{&usageError{err: errors.New("x")}, ExitUsage},
		{schema.Mistakes{{}}, ExitManifest},
		{fmt.Errorf("install: %w", coded(ExitPackage)), ExitPackage},
		{fmt.Errorf("write: %w", &fs.PathError{Err: syscall.ENOSPC}), ExitSpace},
		{fmt.Errorf("mount: %w", syscall.EPERM), ExitPrivilege},
		{fmt.Errorf("stop: %w", context.Canceled), ExitInterrupted},
		{fmt.Errorf("both: %w, %w", coded(ExitNetwork), context.Canceled), ExitInterrupted},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("ExitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

// newApp is an App whose streams are strings.
func newApp(stdout, stderr *strings.Builder) *App {
	return &App{
		Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr, Now: time.Now, Version: "test",
		Getenv: func(name string) string {
			if name == "RASTOS_CONFIG" {
				return os.DevNull
			}
			return ""
		},
	}
}

func TestInterruptIsSaidAndExits130(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for err, want := range map[error]string{
		fmt.Errorf("unpack linux: %w", context.Canceled): "error: interrupted\n",
		errors.New("qemu ended: signal: interrupt"):      "error: qemu ended: signal: interrupt\n",
	} {
		var stdout, stderr strings.Builder
		s := &session{App: newApp(&stdout, &stderr)}
		s.config = defaultConfig()
		if code := s.finish(ctx, err); code != ExitInterrupted || stderr.String() != want {
			t.Errorf("%v: exit %d, %q", err, code, stderr.String())
		}
	}
}

// TestExitCodesAreDocumented: docs/exit-codes.md lists the codes that exist,
// and no other.
func TestExitCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[int]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[1])
		documented[n] = true
	}
	for _, code := range []int{ExitOK, ExitFailure, ExitUsage, ExitManifest, ExitPackage, ExitVerify, ExitNetwork,
		ExitSpace, ExitPrivilege, ExitHost, ExitLocked, ExitInterrupted} {
		if !documented[code] {
			t.Errorf("exit code %d is not in docs/exit-codes.md", code)
		}
		delete(documented, code)
	}
	for code := range documented {
		t.Errorf("docs/exit-codes.md has %d, which does not exist", code)
	}
}

// TestEveryVerbIsDocumented: each verb has an example, a script and a manual
// page that names all its flags.
func TestEveryVerbIsDocumented(t *testing.T) {
	var stdout, stderr strings.Builder
	root := newRoot(&session{App: newApp(&stdout, &stderr), config: defaultConfig()})
	rootPage, err := os.ReadFile("../../docs/man/rastos.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
				continue
			}
			path := strings.ReplaceAll(sub.CommandPath(), " ", "-")
			if !strings.Contains(string(rootPage), path+"(1)") {
				t.Errorf("docs/man/rastos.md does not list %s(1)", path)
			}
			if sub.HasSubCommands() {
				walk(sub)
				continue
			}
			if sub.Example == "" {
				t.Errorf("%s has no example", sub.CommandPath())
			}
			checkPage(t, "../../docs/man/"+path+".md", sub)
		}
	}
	walk(root)
}

func checkPage(t *testing.T, path string, cmd *cobra.Command) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("%s has no manual page: %v", cmd.CommandPath(), err)
		return
	}
	for line := range strings.Lines(cmd.LocalNonPersistentFlags().FlagUsages()) {
		flag := regexp.MustCompile(`--[a-z-]+`).FindString(line)
		if flag != "--help" && !strings.Contains(string(page), "`"+flag) {
			t.Errorf("%s does not name the flag %s", path, flag)
		}
	}
}
