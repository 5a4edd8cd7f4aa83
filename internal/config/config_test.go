// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the generated part of docs/settings.md")

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	file := write(t, "log_level = \"error\"\ncolor = \"never\"\ncache_dir = \"/file\"\nparallel = 2\n")
	got, err := Load(Flags{File: file, LogLevel: "debug"}, env(map[string]string{
		"RASTOS_LOG": "info", "RASTOS_COLOR": "always", "RASTOS_WORKERS": "3", "RASTOS_WORK_DIR": `/a "b\c`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		LogLevel: "debug", LogFormat: "text", Color: "always", CacheDir: "/file", WorkDir: `/a "b\c`,
		Accel: "auto", Parallel: 2, Workers: 3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDefaultsAreThoseOfTheTable compares the defaults with the tags that
// people read.
func TestDefaultsAreThoseOfTheTable(t *testing.T) {
	c, err := Load(Flags{File: os.DevNull}, env(nil))
	if err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		if want := v.Type().Field(i).Tag.Get("default"); want != "" && v.Field(i).String() != want {
			t.Errorf("%s is %v, the table says %s", v.Type().Field(i).Name, v.Field(i), want)
		}
	}
	if c.Parallel != 8 || c.Workers != runtime.NumCPU() {
		t.Errorf("parallel %d, workers %d", c.Parallel, c.Workers)
	}
}

func TestMistakes(t *testing.T) {
	nope := filepath.Join(t.TempDir(), "nope.toml")
	for name, c := range map[string]struct {
		flags Flags
		env   map[string]string
		code  int
		want  string
	}{
		"unknown key":       {Flags{File: write(t, "cach_dir = '/x'\n")}, nil, 3, `did you mean "cache_dir"?`},
		"relative path":     {Flags{File: write(t, "cache_dir = 'x'\n")}, nil, 3, "is not a full path"},
		"named file absent": {Flags{File: nope}, nil, 3, "no such file"},
		"environment file":  {Flags{}, map[string]string{"RASTOS_CONFIG": nope}, 3, "no such file"},
		"environment value": {Flags{File: os.DevNull}, map[string]string{"RASTOS_ACCEL": "xen"}, 3, "environment variable RASTOS_ACCEL"},
		"environment type":  {Flags{File: os.DevNull}, map[string]string{"RASTOS_PARALLEL": "many"}, 3, "whole number"},
		"flag":              {Flags{File: os.DevNull, LogLevel: "loud"}, nil, 2, "flag --log-level"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(c.flags, env(c.env))
			var coded interface{ ExitCode() int }
			if !errors.As(err, &coded) || coded.ExitCode() != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// TestReferenceIsCurrent keeps the generated part of docs/settings.md the
// same as the table of keys.
func TestReferenceIsCurrent(t *testing.T) {
	const path, mark = "../../docs/settings.md", "-update`. -->\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(data), mark)
	want := head + mark + "\n" + Reference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("%s (-update writes it):\n%s", path, diff)
	}
}

func FuzzValue(f *testing.F) {
	f.Add("x")
	f.Add("\"\\\n\x00")
	f.Fuzz(func(t *testing.T, value string) {
		c := &Config{}
		if err := c.overlay("cache_dir", value, "test"); err == nil && c.CacheDir != value {
			t.Errorf("%q became %q", value, c.CacheDir)
		}
	})
}
