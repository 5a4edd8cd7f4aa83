// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/flow/services"
	"github.com/rastos/rastos/internal/host/fsroot"
)

// TestRctl runs rinit's command line against a manager of a user.
func TestRctl(t *testing.T) {
	home := t.TempDir()
	files := filepath.Join(home, ".config/rinit/user")
	if err := os.MkdirAll(files, 0o755); err != nil {
		t.Fatal(err)
	}
	longrun := func(name, script, options string) {
		text := "name = " + name + "\ntype = longrun\n[run]\nprefix = sh\nexecute = (\n" + script + "\n)\nnotify = 3\n" + options
		if err := os.WriteFile(filepath.Join(files, name+".user"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const lives = "echo >&3; exec 3>&- sleep 1000"
	longrun("net", lives, "")
	longrun("web", lives, "[options]\ndependencies = [ net ]\n")
	longrun("bad", "exit 1", "")
	longrun("early", lives, "[options]\nrunlevel = boot\n")
	m := &flow.Machine{
		Tree:    func(root string) (flow.Tree, error) { return fsroot.Open(root) },
		Environ: []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home, "PATH=" + os.Getenv("PATH")},
		Geteuid: func() int { return 1000 }, Now: time.Now,
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- services.Of(m).Supervise(ctx, services.Scope{User: true}, func(string, string, bool) {})
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := services.Of(m).List(ctx, services.Scope{User: true}, nil); err == nil {
			break
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the manager does not answer")
		}
	}
	for _, c := range []struct {
		line, stdout, stderr string
		code                 int
	}{
		{line: "status", stdout: "bad: down\nearly: down\nnet: down\nweb: down\n"},
		{line: "start web", stdout: "Service web started successfully.\n"},
		{line: "start bad", stdout: "Service bad failed to start.\n", stderr: "error: died 3 times, the last time: exit code 1\n", code: 1},
		{line: "status bad web", stdout: "bad: down\nweb: up\n"},
		{line: "stop net", stdout: "Service net failed to stop.\n", stderr: "error: service net dependents [web] are still running\n", code: 1},
		{line: "start early", stderr: "error: service early has a different runlevel then the one requested\n", code: 1},
		{line: "start --runlevel boot early", stdout: "Service early started successfully.\n"},
		{line: "stop web net", stdout: "Service web stopped successfully.\nService net stopped successfully.\n"},
		{line: "start frog web", stdout: "Service web started successfully.\n", stderr: "error: service frog does not exists\n", code: 1},
		{line: "enable web net", stdout: "Service web has been enabled\nService net has been enabled\nAll the services have been enabled.\n"},
		{line: "enable web bad", stdout: "Service bad has been enabled\n", stderr: "error: service web is already enabled\n", code: 1},
		{line: "disable bad bad", stdout: "The service bad has been disabled\n", stderr: "error: service bad is not enabled\n", code: 1},
		{line: "enable --stop-at-errors web bad", stderr: "error: service web is already enabled\n", code: 1},
		{line: "enable --atomic-changes bad web", stdout: "Service bad has been enabled\n", stderr: "error: service web is already enabled\n", code: 1},
		{line: "disable bad", stderr: "error: service bad is not enabled\n", code: 1},
		{line: "enable -s --runlevel boot early", stdout: "Service early has been enabled\nService early started successfully.\nAll the services have been enabled.\n"},
		{line: "reload"},
		{line: "status frog", stderr: "error: service frog does not exist\n", code: 1},
	} {
		var stdout, stderr strings.Builder
		app := newApp(&stdout, &stderr)
		app.Machine = m
		code := Rctl(t.Context(), app, strings.Fields(c.line))
		if code != c.code || stdout.String() != c.stdout || stderr.String() != c.stderr {
			t.Errorf("rctl %s: exit code %d, want %d\n%s%s", c.line, code, c.code, cmp.Diff(c.stdout, stdout.String()), cmp.Diff(c.stderr, stderr.String()))
		}
	}
	if !IsRctl("/usr/bin/rctl") || IsRctl("rastos") {
		t.Error("it does not know its name")
	}
}
