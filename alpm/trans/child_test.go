// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/trans"
)

// childVariable makes this test program one that runs a transaction, to be
// killed.
const childVariable = "TRANS_TEST_CHILD"

// order is what such a child does.
type order struct {
	Dir, Root string // of the lab
	Request   trans.Request
	Recover   bool          // instead of a request
	Contend   bool          // instead: fight for the lock until killed
	Slow      time.Duration // before every step
	Unsynced  bool
}

func child(text string) int {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (o *order) run() error {
	l := &lab{t: nil, dir: o.Dir, repoDir: filepath.Join(o.Dir, "repo"), ours: o.Root, durable: true}
	env := l.environment()
	if o.Unsynced {
		env.SetUnsynced()
	}
	env.SetFault(func(string) error { time.Sleep(o.Slow); return nil })
	ctx := context.Background()
	if o.Contend {
		return contend(ctx, env)
	}
	if o.Recover {
		_, err := trans.Recover(ctx, env, nil)
		return err
	}
	plan, err := trans.Prepare(ctx, env, o.Request)
	if err != nil {
		return err
	}
	return trans.Run(ctx, env, plan, nil)
}

// start starts the child.
func (o order) start(t *testing.T) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(o)
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	return cmd
}

// killAfter kills the child with SIGKILL after a while, and tells whether it
// was still running.
func (o order) killAfter(t *testing.T, d time.Duration) (killed bool) {
	t.Helper()
	cmd := o.start(t)
	timer := time.AfterFunc(d, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	must(t, err)
	return false
}

// grown is the change with backups, replacements, moves and directories of
// changes(), among generated packages that make it take its time.
func grown(rnd *rand.Rand, packages, files int) change {
	c := changes()[1]
	c.name = "grown"
	for p := range packages {
		before, after := map[string]string{}, map[string]string{}
		name := fmt.Sprintf("g%02d", p)
		for f := range files {
			path := fmt.Sprintf("usr/share/%s/d%d/f%d", name, f%5, f)
			content := func(version string) string {
				return strings.Repeat(fmt.Sprintf("%s of %s %s %x\n", version, path, name, rnd.Int63()), 1+rnd.Intn(600))
			}
			same := content("both")
			switch rnd.Intn(8) {
			case 0: // goes
				before[path] = same
			case 1: // comes
				after[path] = same
			case 2: // stays, at times with another mode
				before[path], after[path] = same, same
				if f%2 == 0 {
					after[path] = "0750 " + same
				}
			case 3: // becomes a link
				before[path], after[path] = same, "-> f0"
			case 4: // goes with its directory, and comes in another
				before[path], after["usr/lib/"+name+fmt.Sprintf("/e%d/f%d", f%3, f)] = same, same
			default:
				before[path], after[path] = content("old"), content("new")
			}
		}
		before["etc/"+name], after["etc/"+name] = "1", "2"
		after["usr/share/"+name+"/always"] = "2"
		info := "%s %s-1 backup=etc/%[1]s"
		if p > 0 {
			info += fmt.Sprintf(" depends=g%02d", p-1)
		}
		c.before = append(c.before, spec{info: fmt.Sprintf(info, name, "1"), files: before})
		c.after = append(c.after, spec{info: fmt.Sprintf(info, name, "2"), files: after})
	}
	c.start.Targets = append(c.start.Targets, fmt.Sprintf("g%02d", packages-1))
	prepare := c.prepare
	c.prepare = func(root string) {
		prepare(root)
		for p := 0; p < packages; p += 2 {
			_ = os.WriteFile(filepath.Join(root, fmt.Sprintf("etc/g%02d", p)), []byte("mine"), 0o644)
		}
	}
	return c
}

// judge makes sure that a root which was cut off and recovered is exactly the
// old or the new one, also for pacman, and tells which.
func (l *cutLab) judge(what string, rec *trans.Recovered) (isNew bool) {
	l.t.Helper()
	switch {
	case rec != nil:
		isNew = rec.Finished
	default: // it had not begun, or was all done
		isNew = l.isNew()
	}
	l.whole(what, 0, isNew)
	if testingPacman() {
		l.clean(l.ours)
		l.verified()
	}
	return isNew
}

// verified asks pacman whether every file is as its package has it.
func (l *cutLab) verified() {
	l.t.Helper()
	out, err := l.pacman(l.ours, "-Qkk", "--quiet")
	if out = strings.TrimSpace(out); err != nil || out != "" && !onlyBackups(out) {
		l.t.Fatalf("pacman -Qkk is not content: %v\n%s", err, out)
	}
}

// onlyBackups: a person's own version of a backup file is told of, and right.
func onlyBackups(out string) bool {
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "backup file: ") {
			return false
		}
	}
	return true
}

// isNew tells by the database whether the change was made.
func (l *cutLab) isNew() bool {
	l.t.Helper()
	local, err := trans.Installed(l.environment())
	must(l.t, err)
	return local.Package("new") != nil
}
