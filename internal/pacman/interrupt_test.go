// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rastos/rastos/internal/pacman"
)

// trigger is a stream that does something once a text has gone through it.
type trigger struct {
	mu   sync.Mutex
	text strings.Builder
	on   string
	do   func()
	done bool
}

func (t *trigger) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	if !t.done && strings.Contains(t.text.String(), t.on) {
		t.done = true
		t.do()
	}
	return len(p), nil
}

func (t *trigger) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// interrupted runs a command and interrupts it when it has written a text.
func (c *changes) interrupted(on string, args ...string) (code int, out, errs *trigger) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, errs = &trigger{on: on, do: cancel}, &trigger{on: on, do: cancel}
	silent, never := io.Pipe() // a person who types nothing
	defer never.Close()
	code = pacman.Main(ctx, c.app(silent, out, errs), c.args(args))
	if _, err := os.Lstat(filepath.Join(c.root, "var/lib/pacman/db.lck")); !os.IsNotExist(err) {
		c.t.Errorf("%v: the lock is left: %v", args, err)
	}
	return code, out, errs
}

const interruptCode = 130

// TestInterruptBeforeTheFirstChangeLeavesNothing: at every question.
func TestInterruptBeforeTheFirstChangeLeavesNothing(t *testing.T) {
	c := newChanges(t)
	for _, q := range [][]string{
		{"Proceed with installation?", "-S", "lib"}, {"Install anyway?", "-S", "ign"}, {"Enter a selection", "-S", "tools"},
		{"Enter a number", "-S", "user"}, {"remove these packages?", "-R", "app"}, {"Do you want to continue?", "-R", "held"},
		{"Replace oldname", "-Su"}, {"Remove friend?", "-S", "foe"},
	} {
		c.fresh()
		before := c.tree()
		code, _, errs := c.interrupted(q[0], q[1:]...)
		if code != interruptCode || !strings.Contains(errs.String(), "\nInterrupt signal received\n") {
			t.Errorf("%v: exit code %d, stderr %q", q, code, errs)
		}
		isLog := func(line string) bool { return strings.HasPrefix(line, "var/log/pacman.log ") }
		if after := c.tree(); !slices.Equal(slices.DeleteFunc(before, isLog), slices.DeleteFunc(after, isLog)) {
			t.Errorf("%v: the root was changed", q)
		}
	}
}

// TestInterruptFinishesTheTransaction: once packages are changed, all of the
// transaction are. pacman stops after the one at hand.
func TestInterruptFinishesTheTransaction(t *testing.T) {
	c := newChanges(t)
	c.fresh()
	code, out, errs := c.interrupted("gone", "--noconfirm", "-R", "t2", "friend", "scr")
	if code != interruptCode || !strings.Contains(errs.String(), "Interrupt signal received") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out, errs)
	}
	installed := c.ours("", "-Qq").out
	if strings.Contains(installed, "scr\n") || strings.Contains(installed, "friend\n") || strings.Contains(installed, "t2\n") {
		t.Errorf("installed are %q after\n%s", installed, out)
	}
	log, err := os.ReadFile(filepath.Join(c.root, "var/log/pacman.log"))
	must(t, err)
	if !strings.Contains(string(log), "transaction completed") || strings.Contains(string(log), "transaction interrupted") {
		t.Errorf("the log: %s", log)
	}
}
