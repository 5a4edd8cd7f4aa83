// SPDX-License-Identifier: GPL-3.0-or-later

// Package image_test builds images as a person would, by the command line of
// the built rastos: images that peers must accept, builds that are cut short,
// and input that must be refused and leave everything as it was.
package image_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/host/loop"
	"github.com/rastos/rastos/internal/host/mount"
	"github.com/rastos/rastos/internal/testkit"
)

// world is a place of its own to build in: everything that a build may touch
// lies below dir.
type world struct {
	t      testing.TB
	dir    string
	binary string
	env    []string

	mounted []string // by the test itself

	// What the manifest is made of.
	packages []string
	engine   string // native if empty
	repos    []repository
	settings string // more of [system]
	size     string
	formats  []string
	extra    string // more of the manifest, as it is
}

type repository struct {
	name, key, siglevel string
	servers             []string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	testkit.Integration(t)
	testkit.NeedBtrfs(t)
	w := &world{t: t, dir: t.TempDir(), binary: testkit.NeedBinary(t), size: "1G", formats: []string{"raw"}}
	for _, d := range []string{"work", "out", "cache"} {
		w.must(os.Mkdir(w.path(d), 0o755))
	}
	w.env = append(os.Environ(), "RASTOS_CONFIG="+os.DevNull, "RASTOS_LOG=", "RASTOS_LOG_LEVEL=",
		"RASTOS_CACHE_DIR="+w.path("cache"), "RASTOS_WORK_DIR="+w.path("work"))
	t.Cleanup(w.nothingLeft)
	return w
}

// system makes the manifest that of a whole system, from a repository served
// on a loopback port.
func (w *world) system() {
	w.t.Helper()
	dir, name := testkit.NeedRepo(w.t)
	w.packages = []string{"base", "systemd-boot-efi"}
	w.repos = []repository{{name: name, key: filepath.Join(dir, name+".pub"), servers: []string{serve(w.t, dir, nil)}}}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

func (w *world) write(name, text string) string {
	w.t.Helper()
	w.must(os.WriteFile(w.path(name), []byte(text), 0o644))
	return w.path(name)
}

func quoted(words []string) string {
	out := make([]string, len(words))
	for i, s := range words {
		out[i] = strconv.Quote(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// manifest writes rastos.toml and returns its path.
func (w *world) manifest() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[system]\nhostname = \"atlas\"\n%s", w.settings)
	fmt.Fprintf(&b, "[packages]\nofficial = %s\n", quoted(w.packages))
	if w.engine != "" {
		fmt.Fprintf(&b, "engine = %q\n", w.engine)
	}
	for _, r := range w.repos {
		fmt.Fprintf(&b, "[[repository]]\nname = %q\nservers = %s\n", r.name, quoted(r.servers))
		if r.key != "" {
			fmt.Fprintf(&b, "key = %q\n", r.key)
		}
		if r.siglevel != "" {
			fmt.Fprintf(&b, "siglevel = %q\n", r.siglevel)
		}
	}
	fmt.Fprintf(&b, "[disk]\nsize = %q\nesp = \"128M\"\nformats = %s\n%s", w.size, quoted(w.formats), w.extra)
	return w.write("rastos.toml", b.String())
}

// outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
}

func (w *world) command(args ...string) (*exec.Cmd, func(error) outcome) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(w.binary, args...)
	cmd.Env, cmd.Dir = w.env, w.dir
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	return cmd, func(err error) outcome {
		w.t.Helper()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			w.t.Fatal(err)
		}
		return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	}
}

// build runs `rastos image build` on the manifest as it is now.
func (w *world) build(args ...string) outcome {
	w.t.Helper()
	cmd, end := w.buildCommand(args...)
	return end(cmd.Run())
}

func (w *world) buildCommand(args ...string) (*exec.Cmd, func(error) outcome) {
	return w.command(append([]string{"image", "build", w.manifest(), "--output", w.path("out", "atlas")}, args...)...)
}

// ok builds an image that must become one.
func (w *world) ok(args ...string) outcome {
	w.t.Helper()
	o := w.build(args...)
	if o.code != 0 {
		w.t.Fatalf("exit code %d:\n%s", o.code, o.stderr)
	}
	return o
}

// refused checks that a build ended with code, that it said why in one line of
// error that matches, with a hint if one is wanted, and that nothing changed.
func (w *world) refused(before []string, o outcome, code int, message, hint string) {
	w.t.Helper()
	if o.code != code {
		w.t.Errorf("exit code %d, want %d", o.code, code)
	}
	var errs, hints []string
	for line := range strings.Lines(o.stderr) {
		line = strings.TrimRight(line, "\n")
		if text, ok := strings.CutPrefix(line, "error: "); ok {
			errs = append(errs, text)
		}
		if text, ok := strings.CutPrefix(line, "hint: "); ok {
			hints = append(hints, text)
		}
	}
	if len(errs) != 1 || !regexp.MustCompile(message).MatchString(errs[0]) {
		w.t.Errorf("errors %q, want one like %q", errs, message)
	}
	switch {
	case hint == "" && len(hints) == 0:
	case hint != "" && len(hints) == 1 && regexp.MustCompile(hint).MatchString(hints[0]):
	default:
		w.t.Errorf("hints %q, want one like %q", hints, hint)
	}
	if o.stdout != "" {
		w.t.Errorf("standard output: %q", o.stdout)
	}
	if after := w.snapshot(); !slices.Equal(before, after) {
		w.t.Errorf("files before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	w.nothingLeft()
	if w.t.Failed() {
		w.t.Logf("standard error:\n%s", o.stderr)
	} else {
		w.t.Logf("error: %s; hint: %s", strings.Join(errs, ""), strings.Join(hints, ""))
	}
}

// snapshot lists what is in the output and the working folder, and what
// lies outside of what a build may touch.
func (w *world) snapshot() []string {
	w.t.Helper()
	var list []string
	for _, top := range []string{"out", "work", "outside"} {
		err := filepath.WalkDir(w.path(top), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path == w.path(top) {
				return filepath.SkipDir
			}
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			line := info.Mode().String() + " " + path
			if info.Mode().IsRegular() {
				line += fmt.Sprintf(" %d %s", info.Size(), info.ModTime())
			}
			list = append(list, line)
			return nil
		})
		w.must(err)
	}
	return list
}

// nothingLeft looks for mounts and loop devices of this world.
func (w *world) nothingLeft() {
	w.t.Helper()
	if w.devices() != nil {
		w.t.Errorf("loop devices are left: %v", w.devices())
	}
	mounts, err := mount.List()
	w.must(err)
	for _, m := range mounts {
		if strings.HasPrefix(m.Target, w.dir+"/") && !slices.Contains(w.mounted, m.Target) {
			w.t.Errorf("%s is still mounted", m.Target)
		}
	}
}

// devices are the loop devices on files of this world.
func (w *world) devices() []string {
	w.t.Helper()
	holders, err := loop.Holders()
	w.must(err)
	var list []string
	for dev, file := range holders {
		if strings.HasPrefix(file, w.dir+"/") {
			list = append(list, dev+" "+file)
		}
	}
	return list
}
