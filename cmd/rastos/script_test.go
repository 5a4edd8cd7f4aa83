// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"archive/tar"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
)

var update = flag.Bool("update", false, "write the expected output into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rastos": main, "rctl": main})
}

// TestScripts runs the command line as people do: the real main, in a process
// of its own. One script a verb, beside the verbs.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../internal/cli/testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"package": packageCommand, "exitcode": exitCodeCommand, "get": getCommand, "keyserver": keyserverCommand},
		Setup: func(env *testscript.Env) error {
			env.Setenv("RASTOS_CONFIG", env.WorkDir+"/config.toml")
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Setenv("ADDRESS", l.Addr().String()) // where a server may listen
			return l.Close()
		},
	})
}

// exitCodeCommand is `exitcode CODE PROGRAM ARGUMENT...` in scripts: exec that
// asks for an exit code.
func exitCodeCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE PROGRAM ARGUMENT...")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d", code)
	}
}

// getCommand is `get STATUS URL FILE` in scripts: it fetches the URL into a
// file as soon as somebody answers there, and wants that status.
func getCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: get STATUS URL FILE")
	}
	resp, err := http.Get(args[1])
	for tries := 0; err != nil && tries < 100; tries++ {
		time.Sleep(50 * time.Millisecond)
		resp, err = http.Get(args[1])
	}
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), body, 0o644))
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("%s: %s", args[1], resp.Status)
	}
}

// keyserverCommand is `keyserver DIR` in scripts: it answers at $KEYSERVER for
// the keys that lie in DIR as FINGERPRINT.asc, until the script ends.
func keyserverCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: keyserver DIR")
	}
	dir := ts.MkAbs(args[0])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/pks/lookup" {
			http.NotFound(w, r)
			return
		}
		http.ServeFile(w, r, filepath.Join(dir, strings.TrimPrefix(r.URL.Query().Get("search"), "0x")+".asc"))
	}))
	ts.Defer(server.Close)
	ts.Setenv("KEYSERVER", server.URL)
}

// packageCommand is `package NAME VERSION [KEY=VALUE]...` in scripts: it makes
// the archive NAME-VERSION-any.pkg.tar.zst with the file usr/share/NAME. KEY is
// depend, optdepend, provides, conflict, group, desc, or file for one more file.
func packageCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: package NAME VERSION [KEY=VALUE]...")
	}
	name, version := args[0], args[1]
	p := &desc.Package{Name: name, Base: name, Version: version, Arch: "any", Description: "For a script", Packager: "script"}
	files := []string{"usr/share/" + name}
	for _, arg := range args[2:] {
		key, value, _ := strings.Cut(arg, "=")
		list := map[string]*[]string{
			"depend": &p.Depends, "optdepend": &p.OptDepends, "provides": &p.Provides, "conflict": &p.Conflicts, "group": &p.Groups, "file": &files,
		}[key]
		switch {
		case key == "desc":
			p.Description = value
		case list == nil:
			ts.Fatalf("package: what is %s?", key)
		default:
			*list = append(*list, value)
		}
	}
	out, err := os.Create(ts.MkAbs(name + "-" + version + "-any.pkg.tar.zst"))
	ts.Check(err)
	defer out.Close()
	w, err := pkgfile.NewWriter(out, p, pkgfile.WriterOptions{Epoch: time.Unix(1700000000, 0)})
	ts.Check(err)
	text := version + "\n"
	for _, file := range files {
		// Its owner is who runs the test, so that it can be installed without root.
		head := &tar.Header{Typeflag: tar.TypeReg, Name: file, Mode: 0o644, Size: int64(len(text)), Uid: os.Getuid(), Gid: os.Getgid()}
		ts.Check(w.Add(head, strings.NewReader(text)))
	}
	ts.Check(w.Close())
}
