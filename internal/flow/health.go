// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
)

// healthFolders hold health checks that are programs: packages bring those of the
// first, people those of the second.
func healthFolders() []string { return []string{"usr/lib/rastos/health.d", "etc/rastos/health.d"} }

const (
	retryPause    = 5 * time.Second  // between two tries of a health check
	networkLimit  = 60 * time.Second // until the declared network must be up
	networkPause  = time.Second
	folderTimeout = manifest.Duration(60 * time.Second) // of a check in one of the folders
)

// errStopping is a shutdown that came before the verdict. It is none: a reboot
// in its place would turn somebody's power-off around.
var errStopping = errors.New("the machine shuts down before its start-up was judged")

// checkHealth returns nil for a healthy boot, or what is wrong: first what holds
// for every machine, then what this one was told to check.
func (m *Machine) checkHealth(ctx context.Context, sink report.Sink) error {
	mf, err := m.runningManifest()
	if err != nil {
		// Even then a hang has to end.
		limit := time.Duration((&manifest.Manifest{}).WithDefaults().Snapshots.Deadline)
		if err := m.started(ctx, limit); err != nil {
			return err
		}
		return fmt.Errorf("read the machine's manifest: %w", err)
	}
	if err := m.started(ctx, time.Duration(mf.Snapshots.Deadline)); err != nil {
		return err
	}
	if err := m.online(ctx, sink, mf); err != nil {
		return err
	}
	own, err := m.healthPrograms()
	if err != nil {
		return err
	}
	for _, h := range append(slices.Clone(mf.Health), own...) {
		task := report.Begin(sink, "health check "+h.Name, 0, "")
		err := m.healthCheck(ctx, h)
		task.End(err, "passed")
		if err != nil {
			return fmt.Errorf("health check %s: %w", h.Name, err)
		}
	}
	return nil
}

// healthPrograms are the checks of the folders, by name; one of a person hides a
// package's of the same name.
func (m *Machine) healthPrograms() ([]manifest.Health, error) {
	root, err := m.Tree("/")
	if err != nil {
		return nil, err
	}
	defer root.Close()
	found := map[string]string{}
	for _, dir := range healthFolders() {
		entries, err := root.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			info, err := root.Lstat(path.Join(dir, e.Name()))
			switch {
			case err != nil:
				return nil, err
			case info.Mode().Type() == fs.ModeSymlink: // to /dev/null: hides a package's
				delete(found, e.Name())
			case info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0:
				found[e.Name()] = "/" + path.Join(dir, e.Name())
			}
		}
	}
	var out []manifest.Health
	for name, program := range found {
		out = append(out, manifest.Health{Name: name, Command: "exec '" + strings.ReplaceAll(program, "'", `'\''`) + "'", Timeout: folderTimeout})
	}
	slices.SortFunc(out, func(a, b manifest.Health) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// healthCheck tries a check as often as it may fail, and once more.
func (m *Machine) healthCheck(ctx context.Context, h manifest.Health) error {
	for try := 0; ; try++ {
		err := m.healthCommand(ctx, h)
		if err == nil || try == h.Retries {
			return err
		}
		if err := m.Sleep(ctx, retryPause); err != nil {
			return err
		}
	}
}

func (m *Machine) healthCommand(ctx context.Context, h manifest.Health) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(h.Timeout), fmt.Errorf("no answer in %s", h.Timeout))
	defer cancel()
	_, err := m.Programs.Output(ctx, "/bin/sh", "-c", h.Command)
	return err
}

// online waits until every link that the manifest declares is configured.
func (m *Machine) online(ctx context.Context, sink report.Sink, mf *manifest.Manifest) error {
	if len(mf.Network.Links) == 0 {
		return nil
	}
	task := report.Begin(sink, "health check network", 0, "")
	err := m.waitOnline(ctx, mf.Network.Links)
	task.End(err, "passed")
	if err != nil {
		return fmt.Errorf("health check network: %w", err)
	}
	return nil
}

func (m *Machine) waitOnline(ctx context.Context, links []manifest.Link) error {
	for begin := m.Now(); ; {
		out, err := m.Programs.Output(ctx, "networkctl", "list", "--json=short")
		if err == nil {
			err = offline(out, links)
		}
		if err == nil || m.Now().Sub(begin) > networkLimit {
			return err
		}
		if err := m.Sleep(ctx, networkPause); err != nil {
			return err
		}
	}
}

// offline says which declared link is not up, from networkctl's list. One without
// a cable is not the system's fault: going back would not mend it.
func offline(list []byte, links []manifest.Link) error {
	var got struct {
		Interfaces []struct{ Name, OperationalState, AdministrativeState string }
	}
	if err := json.Unmarshal(list, &got); err != nil {
		return fmt.Errorf("read networkctl's list of links: %w", err)
	}
	for _, l := range links {
		state := "is not there"
		for _, i := range got.Interfaces {
			if ok, err := path.Match(l.Name, i.Name); err != nil || !ok {
				continue
			}
			if i.AdministrativeState == "configured" || i.OperationalState == "no-carrier" {
				state = ""
				break
			}
			state = "is " + i.OperationalState + " and " + i.AdministrativeState
		}
		if state != "" {
			return fmt.Errorf("link %s %s", l.Name, state)
		}
	}
	return nil
}

// started waits until systemd has no job left and asks which units failed.
func (m *Machine) started(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the start-up did not end in %s", limit))
	defer cancel()
	// The exit code tells "degraded" from "running"; the list below says it better.
	out, err := m.Programs.Output(ctx, "systemctl", "is-system-running", "--wait")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	state := strings.TrimSpace(string(out))
	switch state {
	case "running":
		return nil
	case "stopping":
		return errStopping
	case "maintenance":
		return errors.New("the start-up ended in emergency mode" + m.failedNote(ctx))
	}
	if state != "degraded" {
		return fmt.Errorf("the system is %q after its start-up: %w", state, errOr(err))
	}
	units, err := m.failedUnits(ctx)
	if err != nil {
		return err
	}
	if len(units) == 0 {
		return nil // it failed and was started again since
	}
	return fmt.Errorf("failed services: %s", strings.Join(units, ", "))
}

// failedNote names the failed units where they can be asked for.
func (m *Machine) failedNote(ctx context.Context) string {
	units, err := m.failedUnits(ctx)
	if err != nil || len(units) == 0 {
		return ""
	}
	return ": failed: " + strings.Join(units, ", ")
}

func errOr(err error) error {
	if err == nil {
		return errors.New("systemd gave no reason")
	}
	return err
}

func (m *Machine) failedUnits(ctx context.Context) ([]string, error) {
	out, err := m.Programs.Output(ctx, "systemctl", "list-units", "--failed", "--output=json")
	if err != nil {
		return nil, err
	}
	var units []struct {
		Unit string `json:"unit"`
	}
	if err := json.Unmarshal(out, &units); err != nil {
		return nil, fmt.Errorf("read systemctl's list of failed units: %w", err)
	}
	var names []string
	for _, u := range units {
		names = append(names, u.Unit)
	}
	return names, nil
}
