// SPDX-License-Identifier: GPL-3.0-or-later

package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rastos/rastos/internal/supervise/control"
	"github.com/rastos/rastos/internal/supervise/logs"
	"github.com/rastos/rastos/internal/supervise/process"
	"github.com/rastos/rastos/internal/supervise/state"
)

// spawn starts a script. Where that fails, the state hears of it right after.
func (m *loop) spawn(a state.Spawn) {
	p, err := m.start(a)
	if err != nil {
		m.failed = append(m.failed, state.Exited{Run: a.Run, Exit: state.Exit{Err: err.Error()}})
		return
	}
	m.runs[a.Run] = p
	go func() {
		select {
		case <-p.Ready():
			m.send(state.Ready{Run: a.Run})
			<-p.Ended()
		case <-p.Ended():
		}
		code, signal := p.Exit()
		m.send(state.Exited{Run: a.Run, Exit: state.Exit{Code: code, Signal: signal}})
	}()
}

// send hands an event to the loop, as long as there is one.
func (m *loop) send(ev state.Event) {
	select {
	case m.events <- ev:
	case <-m.over:
	}
}

func (m *loop) start(a state.Spawn) (*process.Process, error) {
	name := a.Service.Name
	log, err := m.log(name)
	if err != nil {
		return nil, err
	}
	out, err := log.Pipe("stdout")
	if err != nil {
		return nil, err
	}
	defer out.Close()
	errs, err := log.Pipe("stderr")
	if err != nil {
		return nil, err
	}
	defer errs.Close()
	id := strconv.FormatUint(uint64(a.Run), 10)
	c := process.Command{
		Argv: a.Script.Argv(), Env: slices.Clone(m.Env), User: a.Script.User, Group: a.Script.Group, Stdout: out, Stderr: errs,
		Notify: a.Script.Notify, NotifySocket: filepath.Join(m.Runtime, "notify", id), Children: &m.children,
	}
	for _, v := range a.Service.Env {
		c.Env = append(c.Env, v.Name+"="+v.Value)
	}
	if err := os.Remove(c.NotifySocket); err != nil && !os.IsNotExist(err) { // of a manager that was killed
		return nil, err
	}
	if c.Cgroup, err = m.groups.New(name + "-" + id); err != nil {
		return nil, err
	}
	p, err := process.Start(c)
	if err != nil {
		c.Cgroup.Drop()
		return nil, err
	}
	return p, nil
}

// log is the log of a service, opened when it first writes.
func (m *loop) log(name string) (*logs.Log, error) {
	if l := m.logs[name]; l != nil {
		return l, nil
	}
	l, err := logs.Open(m.Logs, name, m.Now)
	if err != nil {
		return nil, err
	}
	m.logs[name] = l
	return l, nil
}

// sweep ends what a run has left behind.
func (m *loop) sweep(id state.RunID) {
	p := m.runs[id]
	if p == nil {
		return // it was never started
	}
	delete(m.runs, id)
	if err := p.Sweep(); err != nil {
		m.Note("", err.Error(), true)
	}
	m.freeing.Go(func() {
		if err := p.Release(); err != nil {
			m.Note("", err.Error(), true)
		}
	})
}

// list tells of services, or of all.
func (m *loop) list(names []string) control.Response {
	var a control.Response
	found := map[string]bool{}
	for _, s := range m.state.Status() {
		if len(names) > 0 && !slices.Contains(names, s.Service) {
			continue
		}
		found[s.Service] = true
		out := control.Service{
			Name: s.Service, Type: string(s.Type), Description: s.Description, Runlevel: string(s.Runlevel), State: s.State, Phase: s.Phase, Since: s.Since,
			Restarts: s.Restarts, Failure: s.Failure, Unready: s.Unready, Changed: s.Changed,
		}
		if s.LastExit != nil {
			out.LastExit = s.LastExit.String()
		}
		if p := m.runs[s.Run]; p != nil {
			out.PID, out.Says = p.PID(), p.Status()
			out.Memory = resident(p.PID())
		}
		a.Services = append(a.Services, out)
	}
	for _, name := range names {
		if !found[name] {
			return control.Response{Error: fmt.Sprintf("service %s does not exist", name)}
		}
	}
	return a
}

// resident is the memory of a process, in bytes; 0 where it is gone.
func resident(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(data))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
