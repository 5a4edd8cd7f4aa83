// SPDX-License-Identifier: GPL-3.0-or-later

package apply_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// drift returns what differs, as "kind name", and the exit code.
func (w *world) drift(args ...string) (found []string, ignored, code int) {
	w.t.Helper()
	out, code := w.run(append([]string{"drift", "--json"}, args...)...)
	var d struct {
		Ignored     int
		Differences []struct{ Kind, Name string }
	}
	lines := strings.Split(strings.TrimSpace(out), "\n") // events come before the result
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &d); err != nil {
		w.t.Fatalf("%v in:\n%s", err, out)
	}
	for _, one := range d.Differences {
		found = append(found, one.Kind+" "+one.Name)
	}
	slices.Sort(found)
	return found, d.Ignored, code
}

func TestDriftNamesWhatPeopleChanged(t *testing.T) {
	w := newWorld(t)
	w.manifest(`"app"`)
	w.ok("apply", "--sync", "--yes")
	if found, _, code := w.drift("--files"); code != 0 || len(found) > 0 {
		t.Fatalf("after apply: %q, exit code %d", found, code)
	}

	w.mustPacman("-S", "tool")
	w.mustPacman("-Rdd", "lib")
	w.mustPacman("-D", "--asexplicit", "shell")
	w.must(os.WriteFile(w.at("etc/hostname"), []byte("other\n"), 0o644))
	w.must(os.WriteFile(w.at("usr/bin/shell"), []byte("another"), 0o644))
	w.must(os.WriteFile(w.at("etc/group"), []byte(w.read(w.at("etc/group"))+"more:x:77:\n"), 0o644)) // meant to be changed
	w.must(os.WriteFile(w.at("etc/passwd"), []byte(w.read(w.at("etc/passwd"))+"bob:x:1001:1001::/home/bob:/bin/sh\nd:x:801:801::/:/bin/sh\n"), 0o644))
	want := []string{"package lib", "package tool", "reason shell", "setting hostname", "user bob"}
	if found, _, code := w.drift(); code != 11 || !slices.Equal(found, want) {
		t.Errorf("got %q, exit code %d, want %q", found, code, want)
	}
	want = append([]string{"content /usr/bin/shell"}, want...)
	if found, _, code := w.drift("--files"); code != 11 || !slices.Equal(found, want) {
		t.Errorf("with files: got %q, exit code %d, want %q", found, code, want)
	}

	w.more = "\n[drift]\nignore = [\"package:*\", \"reason:shell\", \"setting:hostname\", \"user:b*\", \"lock:*\", \"file:*\"]\n"
	w.manifest(`"app"`)
	if found, ignored, code := w.drift(); code != 0 || len(found) > 0 || ignored < 4 {
		t.Errorf("all ignored: %q, %d, exit code %d", found, ignored, code)
	}
}
