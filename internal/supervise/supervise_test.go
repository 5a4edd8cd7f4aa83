// SPDX-License-Identifier: GPL-3.0-or-later

package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/mistake"
	"github.com/rastos/rastos/internal/supervise/control"
	"github.com/rastos/rastos/internal/supervise/logs"
	"github.com/rastos/rastos/internal/supervise/process"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/rinit"
)

// house is a manager that runs, with its folders.
type house struct {
	t      *testing.T
	config Config
	end    context.CancelFunc
	ended  chan error

	mu    sync.Mutex
	files map[string]string
	notes strings.Builder
}

// manage runs a manager of services whose files are given without their names.
func manage(t *testing.T, files map[string]string, enabled ...string) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, files: files, ended: make(chan error, 1)}
	h.config = Config{
		Runtime: filepath.Join(dir, "run"), Logs: filepath.Join(dir, "log"), Env: []string{"PATH=/usr/bin:/bin", "OUT=" + dir}, Now: time.Now, StopWithin: 4 * time.Second,
		Load: func() (Services, error) { return h.load(enabled) },
		Note: func(service, text string, bad bool) {
			h.mu.Lock()
			defer h.mu.Unlock()
			fmt.Fprintf(&h.notes, "%s: %s\n", service, text)
		},
	}
	h.run()
	t.Cleanup(func() {
		h.stop()
		if t.Failed() {
			t.Logf("notes:\n%s", h.said())
		}
	})
	return h
}

func (h *house) run() {
	ctx, cancel := context.WithCancel(context.Background())
	h.end = cancel
	go func() { h.ended <- Run(ctx, h.config) }()
	h.until("the manager answers", func() bool {
		_, err := control.Call(ctx, SocketPath(h.config.Runtime), control.Request{Verb: control.List})
		return err == nil || len(h.ended) > 0
	})
}

// stop ends the manager.
func (h *house) stop() error {
	h.end()
	err := <-h.ended
	h.ended <- err // for the next who asks
	return err
}

func (h *house) load(enabled []string) (Services, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var files []*rinit.File
	var all mistake.List
	for name, text := range h.files {
		f, err := rinit.Decode(name+rinit.UserExt, []byte("name = "+name+"\n"+text))
		var wrong mistake.List
		errors.As(err, &wrong)
		files, all = append(files, f), append(all, wrong...)
	}
	if len(all) > 0 {
		return Services{}, all
	}
	g, err := rinit.Link(files, false)
	return Services{g, enabled}, err
}

func (h *house) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.notes.String()
}

func (h *house) ask(verb string, names ...string) control.Response {
	h.t.Helper()
	return h.request(control.Request{Verb: verb, Services: names})
}

func (h *house) request(r control.Request) control.Response {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	a, err := control.Call(ctx, SocketPath(h.config.Runtime), r)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// well asks, and wants it to be done.
func (h *house) well(verb string, names ...string) {
	h.t.Helper()
	a := h.ask(verb, names...)
	for _, r := range a.Results {
		a.Error += r.Failure
	}
	if a.Error != "" {
		h.t.Fatalf("%s %v: %s", verb, names, a.Error)
	}
}

func (h *house) one(name string) control.Service {
	h.t.Helper()
	a := h.ask(control.List, name)
	if len(a.Services) != 1 {
		h.t.Fatalf("%s: %+v", name, a)
	}
	return a.Services[0]
}

func (h *house) until(what string, is func() bool) {
	h.t.Helper()
	for begun := time.Now(); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			h.t.Fatalf("never: %s\n%s", what, h.said())
		}
	}
}

// log is what a service has written.
func (h *house) log(name string) string {
	h.t.Helper()
	var text strings.Builder
	err := logs.Read(h.config.Logs, name, logs.Query{Last: -1}, func(e logs.Entry) error {
		fmt.Fprintf(&text, "[%s] %s\n", e.Stream, e.Text)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return text.String()
}

// longrun is a service file of a process that tells when it is ready.
func longrun(script string, more ...string) string {
	return "type = longrun\n[run]\nprefix = sh\nexecute = (\n" + script + "\n)\nnotify = 3\ndown_signal = SIGTERM\ntimeout_kill = 500\n" + strings.Join(more, "\n") + "\n"
}

const ready = "echo >&3; exec 3>&-; "

func TestServicesLive(t *testing.T) {
	h := manage(t, map[string]string{
		"net": "type = oneshot\n[start]\nprefix = sh\nexecute = (\necho up > $OUT/net\n)\n[stop]\nprefix = sh\nexecute = (\nrm $OUT/net\n)\n",
		"web": longrun("[ -e $OUT/net ] || exit 1; echo \"$GREETING\"; echo oops >&2; "+ready+"exec sleep 1000", "[options]", "dependencies = [ net ]", "[env]", `GREETING = "hello 'you'"`),
	}, "web")
	h.until("web is up", func() bool { return h.one("web").State == "up" })
	web := h.one("web")
	if web.PID == 0 || web.Memory == 0 || web.Restarts != 0 {
		t.Errorf("%+v", web)
	}
	if got := h.log("web"); !strings.Contains(got, "[stdout] hello 'you'\n") || !strings.Contains(got, "[stderr] oops\n") {
		t.Errorf("%s", got)
	}
	if a := h.ask(control.Stop, "net"); a.Results[0].Failure != "service net dependents [web] are still running" {
		t.Errorf("%+v", a)
	}
	h.well(control.Restart, "web")
	if again := h.one("web"); again.PID == web.PID || again.State != "up" {
		t.Errorf("%+v", again)
	}
	if a := h.request(control.Request{Verb: control.Stop, Services: []string{"net"}, Recursive: true}); a.Results[0].Failure != "" {
		t.Errorf("%+v", a)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(h.config.Logs), "net")); err == nil {
		t.Error("the stop script of net did not run")
	}
	if a := h.ask(control.Start, "wbe"); a.Results[0].Failure != "service wbe does not exist" {
		t.Errorf("%+v", a)
	}
	h.well(control.Start, "web")
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Join(h.config.Runtime, "notify")); len(left) > 0 {
		t.Errorf("sockets are left: %v", left)
	}
}

// TestBadServicesAreContained: each is bad in its way, is reported, and disturbs
// no other.
func TestBadServicesAreContained(t *testing.T) {
	h := manage(t, map[string]string{
		"good":     longrun(ready + "exec sleep 1000"),
		"crashing": longrun("exit 3"),
		"missing":  "type = longrun\n[run]\nprefix = path\nexecute = (\n/no/such/program\n)\n",
		"deaf":     longrun("trap '' TERM; " + ready + "while :; do sleep 0.1; done"),
		"late":     longrun("exec sleep 1000", "timeout = 300"),
		"flooding": longrun(ready + "exec yes flood"),
		"dying":    longrun(ready + "exit 0"),
	})
	h.well(control.Start, "good", "deaf", "late", "flooding")
	if !h.one("late").Unready || h.one("good").Unready {
		t.Error("late is ready, or good is not")
	}
	a := h.ask(control.Start, "crashing", "missing", "dying")
	for i, want := range []string{"died 3 times, the last time: exit code 3", "no such file or directory"} {
		if !strings.Contains(a.Results[i].Failure, want) {
			t.Errorf("%+v", a.Results[i])
		}
	}
	h.until("the manager gives up on what dies at once", func() bool { s := h.one("dying"); return s.State == "failed" && s.Restarts == 2 })
	begun := time.Now()
	h.well(control.Stop, "deaf")
	if took := time.Since(begun); took < 500*time.Millisecond || h.one("deaf").LastExit != "killed by SIGKILL" {
		t.Errorf("deaf ended after %v by %s", took, h.one("deaf").LastExit)
	}
	h.well(control.Stop, "flooding")
	var size int64
	entries, _ := os.ReadDir(filepath.Join(h.config.Logs, "flooding"))
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if limit := int64((logs.Keep + 2) * logs.MaxSize); size > limit || size == 0 {
		t.Errorf("the flood took %d bytes, more than %d", size, limit)
	}
	if s := h.one("good"); s.State != "up" || s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
}

// TestNoChildSurvives: in a cgroup, not even one that has left group and session.
func TestNoChildSurvives(t *testing.T) {
	testkit.NeedCgroup2(t)
	testkit.NeedTool(t, "setsid")
	h := manage(t, map[string]string{
		"forking": longrun("setsid sh -c 'trap \"\" TERM; echo child $$; while :; do sleep 0.1; done' & " + ready + "wait"),
	})
	h.well(control.Start, "forking")
	var child int
	h.until("the child is there", func() bool {
		_, text, _ := strings.Cut(h.log("forking"), "child ")
		_, err := fmt.Sscan(text, &child)
		return err == nil
	})
	h.well(control.Stop, "forking")
	h.until("the child is gone", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

// TestWhatAKilledManagerLeft is ended by the next one, before it starts anything;
// what another manager runs is not.
func TestWhatAKilledManagerLeft(t *testing.T) {
	testkit.NeedCgroup2(t)
	other := manage(t, map[string]string{"other": longrun(ready + "exec sleep 1000")})
	other.well(control.Start, "other")
	h := manage(t, map[string]string{})
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	groups, err := process.OpenCgroups(cgroupName(h.config.Runtime))
	if err != nil {
		t.Fatal(err)
	}
	left := process.Command{Argv: []string{"sleep", "1000"}, Env: h.config.Env, Notify: process.NoNotify}
	if left.Cgroup, err = groups.New("left-7"); err != nil {
		t.Fatal(err)
	}
	p, err := process.Start(left)
	if err != nil {
		t.Fatal(err)
	}
	h.ended = make(chan error, 1)
	h.run()
	select {
	case <-p.Ended():
	case <-time.After(10 * time.Second):
		p.Kill()
		t.Error("it is still there")
	}
	if s := other.one("other"); s.State != "up" || s.Restarts != 0 {
		t.Errorf("the other manager's service was touched: %+v", s)
	}
}

func TestReload(t *testing.T) {
	h := manage(t, map[string]string{"a": longrun(ready + "echo one; exec sleep 1000"), "b": longrun(ready + "exec sleep 1000")})
	h.well(control.Start, "a", "b")
	before := h.one("a")
	h.mu.Lock()
	h.files = map[string]string{"a": longrun(ready + "echo two; exec sleep 1000"), "c": "type = longrun\n[rnu]\n"}
	h.mu.Unlock()
	if a := h.ask(control.Reload); len(a.Mistakes) == 0 || a.Error == "" {
		t.Errorf("%+v", a)
	}
	if h.one("b").State != "up" {
		t.Error("a reload of bad files changed something")
	}
	h.mu.Lock()
	h.files["c"] = longrun(ready + "exec sleep 1000")
	h.mu.Unlock()
	h.well(control.Reload)
	if s := h.one("a"); s.PID != before.PID || !s.Changed {
		t.Errorf("%+v", s)
	}
	if s := h.one("b"); s.State != "up" || !s.Changed || h.one("c").State != "down" {
		t.Errorf("%+v", s)
	}
	h.well(control.Restart, "a")
	h.until("the new script runs", func() bool { return strings.Contains(h.log("a"), "two") })
	h.well(control.Stop, "b")
	if a := h.ask(control.List, "b"); a.Error == "" {
		t.Errorf("%+v", a)
	}
}

// TestShutdownNamesWhatBlocks: the end comes in time, and says what it waited for.
func TestShutdownNamesWhatBlocks(t *testing.T) {
	h := manage(t, map[string]string{
		"slow":  "type = longrun\n[run]\nprefix = sh\nexecute = (\ntrap '' HUP; " + ready + "while :; do sleep 0.1; done\n)\nnotify = 3\ntimeout_kill = 60000\n",
		"quick": longrun(ready + "exec sleep 1000"),
	})
	h.well(control.Start, "slow", "quick")
	begun := time.Now()
	err := h.stop()
	var blocked *BlockedError
	if !errors.As(err, &blocked) || len(blocked.Services) != 1 || blocked.Services[0].Service != "slow" {
		t.Fatalf("%v", err)
	}
	if took := time.Since(begun); took < 4*time.Second || took > 12*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestOneManagerAtATime(t *testing.T) {
	h := manage(t, map[string]string{})
	if err := Run(t.Context(), h.config); err == nil || !strings.Contains(err.Error(), "another service manager answers") {
		t.Errorf("%v", err)
	}
	if a := h.ask("dance"); a.Error != `there is no request "dance"` {
		t.Errorf("%+v", a)
	}
}
