// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/manifest"
)

// answers are what programs say, by the start of their command line.
type answers map[string]string

func (a answers) Output(ctx context.Context, argv ...string) ([]byte, error) {
	line := strings.Join(argv, " ")
	for start, text := range a {
		if strings.HasPrefix(line, start) {
			return []byte(text), nil
		}
	}
	return nil, fmt.Errorf("nobody knows %s", line)
}

const noUnits = "[]"

func TestAStartUpIsJudged(t *testing.T) {
	failed := `[{"unit":"web.service"}]`
	for state, tt := range map[string]struct{ units, want string }{
		"running":     {noUnits, ""},
		"degraded":    {failed, "failed services: web.service"},
		"maintenance": {`[{"unit":"efi.mount"}]`, "emergency mode: failed: efi.mount"},
		"offline":     {noUnits, `the system is "offline"`},
	} {
		m := &Machine{Programs: answers{"systemctl is-system-running": state + "\n", "systemctl list-units": tt.units}}
		err := m.started(t.Context(), time.Minute)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", state, err, tt.want)
		}
	}
}

// silent is a systemd whose start-up never ends.
type silent struct{}

func (silent) Output(ctx context.Context, _ ...string) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAStartUpThatNeverEndsHasFailed(t *testing.T) {
	err := (&Machine{Programs: silent{}}).started(t.Context(), time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "did not end in 1ms") {
		t.Errorf("got %v", err)
	}
}

// flaky fails so often, and succeeds from then on.
type flaky struct{ left int }

func (f *flaky) Output(context.Context, ...string) ([]byte, error) {
	if f.left--; f.left >= 0 {
		return nil, errTest
	}
	return nil, nil
}

func TestAHealthCheckMayFailAsOftenAsItSays(t *testing.T) {
	var slept time.Duration
	check := func(retries int) error {
		slept = 0
		m := &Machine{Programs: &flaky{1}, Sleep: func(_ context.Context, d time.Duration) error { slept += d; return nil }}
		return m.healthCheck(t.Context(), manifest.Health{Name: "web", Command: "/bin/web", Timeout: manifest.Duration(time.Second), Retries: retries})
	}
	if err := check(1); err != nil || slept != retryPause {
		t.Errorf("got %v after %v", err, slept)
	}
	if err := check(0); !errors.Is(err, errTest) || slept != 0 {
		t.Errorf("got %v after %v", err, slept)
	}
}

func TestProgramsInTheFoldersAreHealthChecks(t *testing.T) {
	tree := newTree(t)
	for name, mode := range map[string]os.FileMode{
		"usr/lib/rastos/health.d/a": 0o755, "usr/lib/rastos/health.d/b": 0o755, "usr/lib/rastos/health.d/gone": 0o755,
		"etc/rastos/health.d/b": 0o755, "etc/rastos/health.d/it's": 0o755, "etc/rastos/health.d/README": 0o644,
	} {
		put(t, tree, name, "#!/bin/sh\n")
		if err := os.Chmod(tree.at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/null", filepath.Join(tree.Dir, "etc/rastos/health.d/gone")); err != nil {
		t.Fatal(err)
	}
	m := &Machine{Tree: func(string) (Tree, error) { return tree, nil }}
	got, err := m.healthPrograms()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, h := range got {
		lines = append(lines, h.Name+": "+h.Command)
	}
	want := "a: exec '/usr/lib/rastos/health.d/a'\nb: exec '/etc/rastos/health.d/b'\nit's: exec '/etc/rastos/health.d/it'\\''s'"
	if strings.Join(lines, "\n") != want {
		t.Errorf("got %q\nwant %q", strings.Join(lines, "\n"), want)
	}
}

func TestDeclaredLinksMustBeUp(t *testing.T) {
	const list = `{"Interfaces":[
		{"Name":"lo","OperationalState":"carrier","AdministrativeState":"unmanaged"},
		{"Name":"enp1","OperationalState":"degraded","AdministrativeState":"configuring"},
		{"Name":"eth0","OperationalState":"routable","AdministrativeState":"configured"},
		{"Name":"eth1","OperationalState":"no-carrier","AdministrativeState":"configuring"}]}`
	for link, want := range map[string]string{
		"eth0": "", "eth*": "", "eth1": "", "wl*": "link wl* is not there", "en*": "link en* is degraded and configuring",
	} {
		err := offline([]byte(list), []manifest.Link{{Name: link}})
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: got %v, want %q", link, err, want)
		}
	}
	if offline([]byte("?"), []manifest.Link{{Name: "en*"}}) == nil {
		t.Error("nonsense was taken for a list")
	}
}
