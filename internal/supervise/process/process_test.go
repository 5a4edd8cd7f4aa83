// SPDX-License-Identifier: GPL-3.0-or-later

package process

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/internal/testkit"
)

const soon = 10 * time.Second

// shell is a command of sh whose output comes from the pipe.
func shell(t *testing.T, script string) (Command, *bufio.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return Command{Argv: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Stdout: w, Stderr: w, Notify: NoNotify}, bufio.NewReader(r)
}

func start(t *testing.T, c Command) *Process {
	t.Helper()
	p, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill(); <-p.Ended(); p.Sweep(); p.Release() })
	return p
}

func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	got, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(got)
}

func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(soon):
		t.Fatalf("not within %v: %s", soon, what)
	}
}

// gone waits until no process of that number runs; a zombie does not.
func gone(t *testing.T, pid int) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Since(begun) > soon {
			t.Fatalf("process %d is still there: %s", pid, stat)
		}
	}
}

func TestHowItEnds(t *testing.T) {
	for script, want := range map[string]struct {
		code   int
		signal syscall.Signal
	}{"exit 0": {}, "exit 7": {code: 7}, "kill -TERM $$": {signal: syscall.SIGTERM}} {
		c, _ := shell(t, script)
		p := start(t, c)
		within(t, script, p.Ended())
		if code, signal := p.Exit(); code != want.code || signal != want.signal {
			t.Errorf("%s: %d, %v", script, code, signal)
		}
		if err := p.Signal("SIGTERM"); err != nil {
			t.Errorf("a signal to what has ended: %v", err)
		}
	}
}

func TestWhatItGets(t *testing.T) {
	c, out := shell(t, `read x; echo "in:$?" "out:$FOO" "pgid:$(cut -d ' ' -f 5 /proc/$$/stat)" "pid:$$"; ls /proc/self/fd | tr '\n' ' '`)
	c.Env = append(c.Env, "FOO=bar")
	p := start(t, c)
	pid := strconv.Itoa(p.PID())
	if got := line(t, out); got != "in:1 out:bar pgid:"+pid+" pid:"+pid {
		t.Error(got)
	}
	within(t, "its end", p.Ended())
	if got, _ := out.ReadString(' '); got != "0 " {
		t.Errorf("descriptors: %q", got)
	}
}

func TestPrograms(t *testing.T) {
	for _, argv := range [][]string{{"no-such-program"}, {"/no/such/program"}, {"/etc"}, {"passwd/../sh"}} {
		c, _ := shell(t, "")
		c.Argv = argv
		if p, err := Start(c); err == nil {
			<-p.Ended()
			t.Errorf("%v was started", argv)
		}
	}
}

func TestSignalNamesTheSignal(t *testing.T) {
	c, out := shell(t, `trap 'echo usr1' USR1; echo begun; while :; do sleep 0.01; done`)
	p := start(t, c)
	line(t, out)
	if err := p.Signal("SIGUSR1"); err != nil {
		t.Fatal(err)
	}
	if got := line(t, out); got != "usr1" {
		t.Error(got)
	}
	if err := p.Signal("SIGFROG"); err == nil {
		t.Error("SIGFROG was sent")
	}
}

// TestKillTakesTheGroup: what a process started goes with it, deaf as it may be.
func TestKillTakesTheGroup(t *testing.T) {
	c, out := shell(t, `trap '' TERM HUP INT; sh -c 'trap "" TERM; echo $$; while :; do sleep 0.1; done' & wait`)
	p := start(t, c)
	child, err := strconv.Atoi(line(t, out))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, "its end", p.Ended())
	gone(t, child)
}

func TestSweepTakesWhatIsLeft(t *testing.T) {
	c, out := shell(t, `sh -c 'echo $$; while :; do sleep 0.1; done' & sleep 0.2`)
	p := start(t, c)
	child, err := strconv.Atoi(line(t, out))
	if err != nil {
		t.Fatal(err)
	}
	within(t, "its end", p.Ended())
	if err := unix.Kill(child, 0); err != nil {
		t.Fatalf("the child was gone before: %v", err)
	}
	if err := p.Sweep(); err != nil {
		t.Fatal(err)
	}
	gone(t, child)
}

// TestCgroupTakesWhatRanAway: leaving the process group and the session does not
// help.
func TestCgroupTakesWhatRanAway(t *testing.T) {
	testkit.NeedCgroup2(t)
	setsid := testkit.NeedTool(t, "setsid")
	groups, err := OpenCgroups("rastos-test-" + strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := groups.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(groups.dir); err == nil {
			t.Errorf("%s is left", groups.dir)
		}
	}()
	for name, end := range map[string]func(*Process) error{"kill": (*Process).Kill, "sweep": (*Process).Sweep, "each": func(p *Process) error { return p.cgroup.killEach() }} {
		c, out := shell(t, setsid+` sh -c 'echo $$; while :; do sleep 0.1; done' & wait`)
		if c.Cgroup, err = groups.New(name); err != nil {
			t.Fatal(err)
		}
		p := start(t, c)
		child, err := strconv.Atoi(line(t, out))
		if err != nil {
			t.Fatal(err)
		}
		if err := end(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		gone(t, child)
		within(t, "its end", p.Ended())
		if err := errors.Join(p.Sweep(), p.Release()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(groups.dir, name)); err == nil {
			t.Errorf("%s: the cgroup is left", name)
		}
	}
}

func TestReadiness(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		notify int
		ready  bool
	}{
		"a byte":                 {"echo >&5; sleep 60", 5, true},
		"closing it":             {"exec 3>&-; sleep 60", 3, true},
		"ending":                 {"exit 0", 3, false},
		"instead of its output":  {"echo; sleep 60", 1, true},
		"not asked for":          {"sleep 0.3", NoNotify, false},
		"a child holds it still": {"sleep 0.3 & exit 0", 3, false},
	} {
		cmd, _ := shell(t, c.script)
		cmd.Notify = c.notify
		p := start(t, cmd)
		if c.ready {
			within(t, name, p.Ready())
			continue
		}
		within(t, name, p.Ended())
		time.Sleep(3 * settle)
		select {
		case <-p.Ready():
			t.Errorf("%s counts as ready", name)
		default:
		}
	}
}

// TestSdNotify lets systemd's own program tell.
func TestSdNotify(t *testing.T) {
	tell := testkit.NeedTool(t, "systemd-notify")
	c, _ := shell(t, tell+" --status='warming up'; "+tell+" --ready --status='at your service'; sleep 60")
	c.NotifySocket = filepath.Join(t.TempDir(), "notify")
	p := start(t, c)
	within(t, "ready", p.Ready())
	if got := p.Status(); got != "at your service" {
		t.Errorf("status %q", got)
	}
	p.Kill()
	<-p.Ended()
	if err := p.Sweep(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.NotifySocket); err == nil {
		t.Error("the socket is left")
	}
}

func TestUsersAndGroups(t *testing.T) {
	testkit.NeedRoot(t)
	for _, c := range []struct{ user, group, want string }{
		{"nobody", "", "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)"},
		{"65534", "daemon", "uid=65534(nobody) gid=1(daemon) groups=1(daemon),65534(nogroup)"},
		{"", "daemon", "uid=0(root) gid=1(daemon) groups=1(daemon)"},
	} {
		cmd, out := shell(t, "id")
		cmd.User, cmd.Group = c.user, c.group
		cmd.NotifySocket = filepath.Join(t.TempDir(), "notify")
		start(t, cmd)
		if got := line(t, out); got != c.want {
			t.Errorf("%s:%s: %s", c.user, c.group, got)
		}
		info, err := os.Stat(cmd.NotifySocket)
		if err != nil || c.user != "" && info.Sys().(*syscall.Stat_t).Uid != 65534 {
			t.Errorf("the socket is not the user's: %v", err)
		}
	}
	for _, c := range []Command{{User: "no-such-user"}, {Group: "no-such-group"}} {
		c.Argv = []string{"/bin/true"}
		if _, err := Start(c); err == nil {
			t.Errorf("%s%s was found", c.User, c.Group)
		}
	}
}
