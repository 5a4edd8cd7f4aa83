// SPDX-License-Identifier: GPL-3.0-or-later

package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/mistake"
)

var update = flag.Bool("update", false, "write the golden files")

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(read(t, path)), string(got)); diff != "" {
		t.Errorf("%s (-update writes it):\n%s", path, diff)
	}
}

func TestFullManifest(t *testing.T) {
	m, err := Parse("full.toml", read(t, "testdata/full.toml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(m.Resolve("/project/machine").WithDefaults(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/full.json", append(got, '\n'))
}

// TestFullManifestIsFull: each key of the table is used in full.toml, so that
// no key goes untested.
func TestFullManifestIsFull(t *testing.T) {
	m, err := Parse("full.toml", read(t, "testdata/full.toml"))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(v reflect.Value, path string) bool
	walk = func(v reflect.Value, path string) (used bool) {
		switch {
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				sf := v.Type().Field(i)
				if key := sf.Tag.Get("toml"); key != "-" && sf.Tag.Get("later") == "" && !walk(v.Field(i), path+"."+key) {
					// In a list, any element may use the key.
					if !strings.HasSuffix(path, "]") {
						t.Errorf("full.toml does not use %s.%s", path, key)
					}
				}
			}
			return true
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
			for i := range v.Len() {
				walk(v.Index(i), path+"[]")
			}
			return v.Len() > 0
		}
		return !v.IsZero()
	}
	m.System.Init = "systemd"
	walk(reflect.ValueOf(*m), "")
}

func TestMistakesAreToldAllAtOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.toml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := Parse(filepath.Base(file), read(t, file))
			var wrong mistake.List
			if !errors.As(err, &wrong) {
				t.Fatalf("error = %v", err)
			}
			var out bytes.Buffer
			for _, m := range wrong {
				line, marks := m.Excerpt()
				fmt.Fprintf(&out, "%s\n    %s\n    %s\n", m, line, marks)
			}
			golden(t, strings.TrimSuffix(file, ".toml")+".golden", out.Bytes())
		})
	}
}

// TestDefaultsAreThoseOfTheTable compares what WithDefaults does with the
// "default" tags, which people read.
func TestDefaultsAreThoseOfTheTable(t *testing.T) {
	m := (&Manifest{
		Repositories: []Repository{{Name: "core"}}, Users: []User{{Name: "a"}},
		Services: []Service{{Name: "s", Command: "/bin/true"}}, Health: []Health{{Name: "h"}},
		Network: Network{Links: []Link{{Name: "l"}}},
	}).WithDefaults()
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for i := range v.NumField() {
			sf, f := v.Type().Field(i), v.Field(i)
			if sf.Tag.Get("later") != "" || sf.Tag.Get("toml") == "-" {
				continue
			}
			name := path + "." + sf.Tag.Get("toml")
			switch {
			case f.Kind() == reflect.Struct:
				walk(f, name)
			case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
				walk(f.Index(0), name)
			case name == ".service.enable": // depends on command; see its doc
			case sf.Tag.Get("default") != "":
				if got := asWritten(f); got != sf.Tag.Get("default") {
					t.Errorf("%s: WithDefaults gives %q, the table says %q", name, got, sf.Tag.Get("default"))
				}
			case !f.IsZero() && sf.Tag.Get("need") == "" && sf.Name != "Command":
				t.Errorf("%s: WithDefaults gives %v, the table says nothing", name, f)
			}
		}
	}
	walk(reflect.ValueOf(*m), "")
}

func asWritten(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ", ")
	}
	if d, ok := v.Interface().(Duration); ok {
		return fmt.Sprintf("%gs", float64(d)/1e9)
	}
	return fmt.Sprint(v.Interface())
}

func TestDefaultsLeaveTheOriginalAlone(t *testing.T) {
	m, err := Parse("full.toml", read(t, "testdata/full.toml"))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(m)
	out := m.Resolve("/x").WithDefaults()
	*out.System.Agent = true
	out.Repositories[0].Servers[0] = "changed"
	out.Services[2].Environment["LANG"] = "changed"
	if after, _ := json.Marshal(m); !bytes.Equal(before, after) {
		t.Error("the original changed")
	}
}

func TestLoadResolvesPaths(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rastos.toml")
	if err := os.WriteFile(path, read(t, "testdata/full.toml"), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	r := m.Repositories[0]
	if r.Key != filepath.Join(dir, "keys/core.asc") {
		t.Errorf("key = %q", r.Key)
	}
	if want := "file://" + filepath.Join(filepath.Dir(dir), "repo"); r.Servers[1] != want {
		t.Errorf("server = %q, want %q", r.Servers[1], want)
	}
	if diff := cmp.Diff([]string{"Required", "DatabaseOptional"}, r.SigLevelWords()); diff != "" {
		t.Error(diff)
	}
	if len(m.SHA256) != 64 {
		t.Errorf("digest = %q", m.SHA256)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	for path, code := range map[string]int{filepath.Join(dir, "nope.toml"): 3, dir: 3} {
		_, err := Load(path)
		var coded interface{ ExitCode() int }
		if !errors.As(err, &coded) || coded.ExitCode() != code {
			t.Errorf("Load(%s) = %v", path, err)
		}
	}
}

func TestFileURLKeepsVariables(t *testing.T) {
	if got := fileURL("/srv/a b/$repo/$arch"); got != "file:///srv/a%20b/$repo/$arch" {
		t.Errorf("%q", got)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "512": 512, "1K": 1024, "8G": 8 << 30, "3T": 3 << 40} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q is %d, %v", text, s, err)
		}
		if s.String() != text {
			t.Errorf("%q is written %q", text, s)
		}
	}
	for _, text := range []string{"", "G", "-1", "+1", "8GB", "8 G", "1.5G", "9999999T", "0x10", "８G", "8GG"} {
		if err := new(Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]string{"90s": "1m30s", "3d": "72h0m0s", "0": "0s"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != want {
			t.Errorf("%q is %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "d", "soon", "-5s", "99999d", "+3d"} {
		if err := new(Duration).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

// TestFormats has a right and a wrong value for each format; one without is
// a test that is missing.
func TestFormats(t *testing.T) {
	examples := map[string][2][]string{
		"hostname":    {{"a", "a-b.c", "x1"}, {"", "-a", "a-", "a..b", "a_b", strings.Repeat("a", 65), "a\n"}},
		"domain":      {{"example.org"}, {"", "a b", strings.Repeat("a", 64)}},
		"timezone":    {{"UTC", "Europe/Berlin", "America/Argentina/Salta", "Etc/GMT+1"}, {"", "../etc/passwd", "/UTC", "a/b/c/d"}},
		"locale":      {{"C", "C.UTF-8", "de_DE.UTF-8", "sr_RS@latin"}, {"", "english", "de_de", "C.UTF-8\n"}},
		"keymap":      {{"us", "de-latin1"}, {"", "../x", "a b"}},
		"package":     {{"base", "core/linux", "libfoo.so=1-64", "gcc>=14", "a+b"}, {"", "-rf", "a b", "a/b/c", ".hidden", "x=;rm"}},
		"packagename": {{"base", "a+b"}, {"", "core/linux", "a=1", "-rf", "a*"}},
		"glob":        {{"linux-*", "lib?.so", "a[0-9]", "base"}, {"", "a b", "a/b", "x=1"}},
		"driftglob":   {{"package:linux-*", "*:hello", "file:/etc/*"}, {"", "package", "package:", "packages:x", ":x"}},
		"repository":  {{"core", "my-repo"}, {"", "local", "a/b", ".x", "-x"}},
		"server":      {{"https://a/$repo", "file:///x", "/x", "./x", "../x"}, {"", "mirror", "ftp://a", "file://x/y", "https:///x", "http://a/${repo}", "file:relative"}},
		"siglevel":    {{"required", "Required DatabaseNever", "PackageTrustAll"}, {"", " ", "yes", "Required,Never"}},
		"path":        {{"a/b", "/x"}, {"", "a\n"}},
		"abspath":     {{"/bin/sh"}, {"", "bin/sh", "/a/../b", "/a:b", "/a/"}},
		"execpath":    {{"/bin/true", "/bin/sh -c 'a b'"}, {"", "true", "/bin/a\nUser=root", " /bin/true"}},
		"cmdline":     {{"quiet", "root=UUID=1"}, {"", "a b", "a\n", "ä"}},
		"size":        {{"8G"}, {"", "x"}},
		"duration":    {{"5m"}, {"", "x"}},
		"compress":    {{"none", "zstd", "zstd:15", "lzo", "zlib:9"}, {"", "zstd:0", "zstd:16", "lzo:1", "gzip"}},
		"label":       {{"rastos"}, {"", "a b", strings.Repeat("a", 33), "a/b"}},
		"account":     {{"anna", "_x", "a-b"}, {"", "Anna", "1a", "a:b", "a b", "a\n", strings.Repeat("a", 33)}},
		"sshkey": {{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE6ByBxLpS1LSsCqUBr1jcGLlfmxhI0SpAWODLOxmbdl"},
			{"", "ssh-ed25519", "ssh-ed25519 ###", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIE6ByBxLpS1LSsCqUBr1jcGLlfmxhI0SpAWODLOxmbdl",
				"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE6ByBxLpS1LSsCqUBr1jcGLlfmxhI0SpAWODLOxmbdl a\nssh-rsa b", "-----BEGIN OPENSSH PRIVATE KEY-----"}},
		"password":  {{"!", "*", "$6$saltsalt$abcdefgh", "!$6$saltsalt$abcdefgh", "$y$j9T$abcdef$ghijkl"}, {"", "secret", "$6$a:b$cdefgh", "$6$a\nb", "x$6$saltsalt"}},
		"gecos":     {{"", "Anna B."}, {"a:b", "a\n"}},
		"line":      {{"", "a b"}, {"a\nb", "a\x00", "\x7f"}},
		"ip":        {{"192.0.2.1", "::1"}, {"", "192.0.2", "192.0.2.1/24", "localhost"}},
		"cidr":      {{"192.0.2.1/24", "::1/128"}, {"", "192.0.2.1", "192.0.2.1/33"}},
		"interface": {{"eth0", "en*"}, {"", "a b", "eth0/1", strings.Repeat("e", 16)}},
		"unit":      {{"sshd", "getty@tty1.service"}, {"", "a b", "../x", "a/b", "-x"}},
		"image":     {{"oci://registry.example/web", "oci://localhost:5000/fleet/web:stable", "oci://h/a@sha256:00"}, {"", "registry.example/web", "oci://h", "oci://h/A", "oci://h/a:b c", "docker://h/a"}},
		"signkey":   {{"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="}, {"", "AAAA", "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"}},
		"envname":   {{"PATH", "_x1"}, {"", "1x", "A-B", "A=B"}},
	}
	all := formats()
	for name, format := range all {
		e, ok := examples[name]
		if !ok {
			t.Errorf("format %s has no examples", name)
		}
		for _, s := range e[0] {
			if err := format.Check(s); err != nil {
				t.Errorf("%s refuses %q: %v", name, s, err)
			}
		}
		for _, s := range e[1] {
			if format.Check(s) == nil {
				t.Errorf("%s accepts %q", name, s)
			}
		}
	}
	if len(all) != len(examples) {
		t.Errorf("%d formats, %d examples", len(all), len(examples))
	}
}

// TestSchemaSnapshot shows every change of the exported schema in review.
func TestSchemaSnapshot(t *testing.T) {
	golden(t, "testdata/schema.json", Schema())
}

func FuzzParse(f *testing.F) {
	f.Add(read(f, "testdata/full.toml"))
	files, _ := filepath.Glob("testdata/mistakes/*.toml")
	for _, file := range files {
		f.Add(read(f, file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse("f", data)
		_, again := Parse("f", data)
		if fmt.Sprint(err) != fmt.Sprint(again) {
			t.Fatalf("two runs differ:\n%v\n%v", err, again)
		}
		// Whatever was read, these must not fail.
		m.Resolve("/x").WithDefaults()
		var wrong mistake.List
		if err != nil && !errors.As(err, &wrong) {
			t.Fatalf("error of another kind: %v", err)
		}
	})
}
