// SPDX-License-Identifier: GPL-3.0-or-later

// Package scriptlet runs the functions of a package's .INSTALL file (see
// PKGBUILD(5), "INSTALL/UPGRADE/REMOVE SCRIPTING") as libalpm does:
//
//	/bin/sh -c '. /tmp/alpm_XXXXXX/.INSTALL; post_upgrade NEW OLD'
//
// inside the system tree. Whether a function is there is decided by its name
// standing anywhere outside of comments, as in libalpm; its exit code is
// reported and decides nothing. Where the Chroot can hand a file over without
// a trace in the tree, that is used.
package scriptlet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Functions that a scriptlet may define.
const (
	PreInstall  = "pre_install"
	PostInstall = "post_install"
	PreUpgrade  = "pre_upgrade"
	PostUpgrade = "post_upgrade"
	PreRemove   = "pre_remove"
	PostRemove  = "post_remove"
)

// Chroot runs a program inside a system tree.
type Chroot interface {
	Run(ctx context.Context, root string, argv []string, stdin io.Reader, output io.Writer) (exit int, err error)
}

// FileChroot is a Chroot that shows the program files which are not in the
// tree, at /tmp/<dir>/<name>.
type FileChroot interface {
	RunWithFiles(ctx context.Context, root string, files map[string][]byte, argv []string, stdin io.Reader, output io.Writer) (exit int, err error)
}

// Result of a scriptlet.
type Result struct {
	Ran  bool // false: the scriptlet has no such function
	Code int
}

// Defines tells whether a scriptlet has a function, by libalpm's rule.
func Defines(install []byte, fn string) bool {
	for line := range strings.Lines(string(install)) {
		code, _, _ := strings.Cut(line, "#")
		if strings.Contains(code, fn) {
			return true
		}
	}
	return false
}

// Run runs one function of a scriptlet in the tree at root, with the versions
// of the package (new, old) as arguments. An error is a shell that could not
// be run, or the end of ctx; a function that fails is no error.
func Run(ctx context.Context, c Chroot, root string, install []byte, output io.Writer, fn string, args ...string) (Result, error) {
	if !Defines(install, fn) {
		return Result{}, nil
	}
	code, err := run(ctx, c, root, install, output, fn, args)
	if err != nil {
		return Result{}, fmt.Errorf("run the scriptlet's %s: %w", fn, err)
	}
	return Result{Ran: true, Code: code}, nil
}

func run(ctx context.Context, c Chroot, root string, install []byte, output io.Writer, fn string, args []string) (code int, err error) {
	dir := "alpm_" + rand.Text()[:6]
	name := "/tmp/" + dir + "/.INSTALL"
	argv := command(name, fn, args)
	if fc, ok := c.(FileChroot); ok {
		return fc.RunWithFiles(ctx, root, map[string][]byte{name: install}, argv, nil, output)
	}
	tree, err := os.OpenRoot(root)
	if err != nil {
		return 0, err
	}
	defer tree.Close()
	if err := place(tree, dir, install); err != nil {
		return 0, err
	}
	defer func() {
		if rerr := tree.RemoveAll("tmp/" + dir); err == nil && rerr != nil {
			err = rerr
		}
	}()
	return c.Run(ctx, root, argv, nil, output)
}

// place writes the scriptlet below the tree's own /tmp.
func place(tree *os.Root, dir string, install []byte) error {
	if err := tree.Mkdir("tmp", 0o755); err == nil {
		if err := tree.Chmod("tmp", 0o777|fs.ModeSticky); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := tree.Mkdir("tmp/"+dir, 0o700); err != nil {
		return err
	}
	return tree.WriteFile("tmp/"+dir+"/.INSTALL", install, 0o600)
}

// command is the argument vector. libalpm pastes versions into the command as
// they are; they are quoted here where the shell would read them otherwise.
func command(file, fn string, args []string) []string {
	line := ". " + file + "; " + fn
	for _, a := range args {
		line += " " + quote(a)
	}
	return []string{"/bin/sh", "-c", line}
}

func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+:-@", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
