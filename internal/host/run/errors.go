// SPDX-License-Identifier: GPL-3.0-or-later

package run

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// ExitError is a program that ended with another code than 0.
type ExitError struct {
	Argv   []string
	Code   int    // 128+n when signal n ended it
	Stderr string // the last lines of its standard error
}

func (e *ExitError) Error() string {
	what := fmt.Sprintf("exit code %d", e.Code)
	if e.Code > 128 {
		what = fmt.Sprintf("killed by signal %d", e.Code-128)
	}
	if e.Stderr == "" {
		return fmt.Sprintf("%s: %s", Quote(e.Argv), what)
	}
	return fmt.Sprintf("%s: %s: %s", Quote(e.Argv), what, e.Stderr)
}

// MissingError is a program that this host does not have.
type MissingError struct {
	Program string
	Err     error
}

func (e *MissingError) Error() string { return fmt.Sprintf("run %s: %v", e.Program, e.Err) }
func (e *MissingError) Unwrap() error { return e.Err }

// ExitCode is the class "missing host program or kernel feature".
func (e *MissingError) ExitCode() int { return 9 }

// Hint names the package that the program comes in.
func (e *MissingError) Hint() string {
	pkg, ok := packageOf[filepath.Base(e.Program)]
	if !ok {
		return fmt.Sprintf("install the program %q, or put its directory into PATH", e.Program)
	}
	return fmt.Sprintf("Debian: apt-get install %s; Arch: pacman -S %s", pkg.debian, pkg.arch)
}

// NamespaceError is a kernel (or a container around us) that refuses what
// InRoot needs.
type NamespaceError struct {
	Root string
	Err  error
}

func (e *NamespaceError) Error() string {
	return fmt.Sprintf("make namespaces for a command in %s: %v", e.Root, e.Err)
}
func (e *NamespaceError) Unwrap() error { return e.Err }

// ExitCode is the class "missing privilege": the kernel has the namespaces
// wherever rastOS runs, so that the refusal is about rights.
func (e *NamespaceError) ExitCode() int { return 8 }

// Hint says what to do.
func (e *NamespaceError) Hint() string {
	return "run as root; inside a container it needs CAP_SYS_ADMIN (docker/podman: --privileged, LXC: security.nesting=true)"
}

// SetupError is a step of InRoot that failed before the program ran.
type SetupError struct {
	Root string
	Op   string // "mount proc on /proc", …
	Err  error
}

func (e *SetupError) Error() string { return fmt.Sprintf("in %s: %s: %v", e.Root, e.Op, e.Err) }
func (e *SetupError) Unwrap() error { return e.Err }

// Hint is empty where nothing better than the error itself is known.
func (e *SetupError) Hint() string {
	if strings.HasPrefix(e.Op, mountPointOp) {
		return "the tree is read-only or odd: it needs the directories /proc, /sys, /dev, /run and /tmp"
	}
	return ""
}

// ExecError is a program that cannot be executed inside a tree.
type ExecError struct {
	Root    string
	Program string
	Err     error
}

func (e *ExecError) Error() string {
	return fmt.Sprintf("in %s: exec %s: %v", e.Root, e.Program, e.Err)
}
func (e *ExecError) Unwrap() error { return e.Err }

// Hint says what is usually behind it.
func (e *ExecError) Hint() string {
	switch {
	case errors.Is(e.Err, syscall.EACCES):
		return fmt.Sprintf("is %s executable, and %s not on a file system mounted noexec?", e.Program, e.Root)
	case errors.Is(e.Err, syscall.ENOEXEC):
		return "is it a program for another architecture?"
	default:
		return fmt.Sprintf("does %s hold the program and the loader or interpreter that it names?", e.Root)
	}
}

// Quote writes an argument vector as a person would type it into a shell.
func Quote(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = a
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// tail keeps the last few lines of a stream.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const (
	tailBytes = 2048
	tailLines = 8
)

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > 4*tailBytes {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buf
	if len(b) > tailBytes {
		b = b[len(b)-tailBytes:]
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	return strings.Join(lines, "\n")
}
