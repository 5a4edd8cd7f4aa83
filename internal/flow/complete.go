// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
)

// startLimit is how long the start-up may take until the checks call it a
// failure. It is generous: an emulated guest on a busy machine is slow.
const startLimit = 10 * time.Minute

// noticePath is what pam_motd shows at login.
const noticePath = "run/motd.d/rastos"

// Outcome says how a boot ended.
type Outcome struct {
	Deployment int    `json:"deployment"`
	Healthy    bool   `json:"healthy"`
	Failure    string `json:"failure,omitempty"`
	Blessed    bool   `json:"blessed"`            // this run made it good
	Reboot     bool   `json:"reboot"`             // the machine has to try again, or fall back
	Fallback   string `json:"fallback,omitempty"` // why an older deployment runs
}

// CompleteBoot finishes a boot: it waits for the start-up, runs the health
// checks, blesses the deployment or records why not, and leaves a login notice
// when the machine fell back. The caller reboots when Outcome.Reboot is set.
func (m *Machine) CompleteBoot(ctx context.Context, sink report.Sink) (Outcome, error) {
	sys, err := m.Running()
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Deployment: sys.Booted}
	health := m.checkHealth(ctx, sink)
	if ctx.Err() != nil {
		return out, context.Cause(ctx)
	}
	if errors.Is(health, errStopping) {
		return out, health
	}
	err = m.lockedPatiently(ctx, sys, sink, func() error {
		if health != nil {
			out.Failure = health.Error()
			return m.refuse(sys, sink, &out)
		}
		out.Healthy = true
		return m.bless(sys, sink, &out)
	})
	if err != nil {
		return out, err
	}
	st, err := m.status(sys)
	if err != nil {
		return out, err
	}
	out.Fallback = st.Fallback
	return out, m.notice(st)
}

// bless makes the running deployment good: its entry loses the counters, then
// the record says so. A cut in between is mended by the next boot.
func (m *Machine) bless(sys *System, sink report.Sink, out *Outcome) error {
	d, err := sys.Deploys.Get(sys.Booted)
	if err != nil {
		return err
	}
	if d.State == deploy.Good {
		_, err := sys.Deploys.Bless(d.Number, m.Now())
		return err
	}
	if err := boot.Bless(sys.ESP, d.EntryName()); err != nil {
		return err
	}
	if _, err := sys.Deploys.Bless(d.Number, m.Now()); err != nil {
		return err
	}
	out.Blessed = true
	report.Notef(sink, "deployment %d is good", d.Number)
	mf, err := m.runningManifest()
	if err != nil {
		return err
	}
	if err := m.collect(sys, sink, keepRules(mf)); err != nil {
		report.Warnf(sink, "%v", err) // the next blessing tries again; this boot is good
	}
	return nil
}

// refuse records the failure. Only a deployment on trial is tried again, and
// only where there is a good one to fall back to: a machine with no other way
// to boot stays up so that a person can mend it.
func (m *Machine) refuse(sys *System, sink report.Sink, out *Outcome) error {
	d, err := sys.Deploys.Fail(sys.Booted, out.Failure)
	if err != nil {
		return err
	}
	report.Warnf(sink, "deployment %d is not healthy: %s", d.Number, out.Failure)
	all, err := sys.Deploys.List()
	if err != nil {
		return err
	}
	_, none := deploy.LastGood(all, d.Number)
	entries, err := sys.entries()
	if err != nil {
		return err
	}
	// Without a counter the entry was picked by hand or was good before: no
	// reboot would lead anywhere else.
	out.Reboot = d.State == deploy.Armed && none == nil && entries[d.Number].Counted &&
		d.Refused <= m.tries() // a loader that does not count would try for ever
	return nil
}

// errStopping is a shutdown that came before the verdict. It is none: a reboot
// in its place would turn somebody's power-off around.
var errStopping = errors.New("the machine shuts down before its start-up was judged")

// checkHealth returns nil for a healthy boot, or what is wrong.
func (m *Machine) checkHealth(ctx context.Context, sink report.Sink) error {
	if err := m.started(ctx); err != nil {
		return err
	}
	mf, err := m.runningManifest()
	if err != nil {
		return fmt.Errorf("read the machine's manifest: %w", err)
	}
	for _, h := range mf.Health {
		task := report.Begin(sink, "health check "+h.Name, 0, "")
		err := m.healthCommand(ctx, h)
		task.End(err, "passed")
		if err != nil {
			return fmt.Errorf("health check %s: %w", h.Name, err)
		}
	}
	return nil
}

func (m *Machine) healthCommand(ctx context.Context, h manifest.Health) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(h.Timeout), fmt.Errorf("no answer in %s", h.Timeout))
	defer cancel()
	_, err := m.Programs.Output(ctx, "/bin/sh", "-c", h.Command)
	return err
}

// started waits until systemd has no job left and asks which units failed.
func (m *Machine) started(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("the start-up did not end in %s", startLimit))
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

// notice writes or removes the login notice.
func (m *Machine) notice(st Status) error {
	root, err := m.Tree("/")
	if err != nil {
		return err
	}
	defer root.Close()
	if st.Fallback == "" {
		return root.RemoveAll(noticePath)
	}
	if err := root.MkdirAll("run/motd.d", 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("rastOS fell back to deployment %d (node %d).\n%s\n`rastos status` tells more; `rastos upgrade` tries again.\n",
		st.Booted.Number, st.Booted.Node, st.Fallback)
	return root.WriteFile(noticePath, []byte(text), 0o644)
}

// Reboot asks systemd for a reboot, so that everything is stopped in order.
func (m *Machine) Reboot(ctx context.Context) error {
	_, err := m.Programs.Output(ctx, "systemctl", "reboot", "--no-block")
	return err
}
