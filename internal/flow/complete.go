// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/report"
)

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
	booted, err := m.bootedNumber()
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Deployment: booted}
	health := m.checkHealth(ctx, sink)
	if ctx.Err() != nil {
		return out, context.Cause(ctx)
	}
	if errors.Is(health, errStopping) {
		return out, health
	}
	if health != nil {
		// A start-up that broke off may not have come to it. Where it is mounted
		// already, or cannot be, what follows tells.
		_, _ = m.Programs.Output(ctx, "mount", runningESP)
	}
	err = m.judge(ctx, sink, health, &out)
	if err != nil && health != nil {
		return out, m.refuseBlindly(ctx, sink, &out, errors.Join(health, err))
	}
	return out, err
}

// judge blesses or refuses the running deployment, and tells of a fallback.
func (m *Machine) judge(ctx context.Context, sink report.Sink, health error, out *Outcome) error {
	sys, err := m.Running()
	if err != nil {
		return err
	}
	defer sys.Close()
	err = m.lockedPatiently(ctx, sys, sink, func() error {
		if err := m.tidyEtc(sys); err != nil {
			report.Warnf(sink, "tidy /etc: %v", err) // no reason to go back
		}
		if health != nil {
			out.Failure = health.Error()
			return m.refuse(sys, sink, out)
		}
		out.Healthy = true
		if err := m.bless(sys, sink, out); err != nil {
			return err
		}
		if err := m.secondChances(os.DirFS(boot.EFIVarsDir)); err != nil {
			report.Warnf(sink, "%v", err) // the boot is good all the same
		}
		return nil
	})
	if err != nil {
		return err
	}
	st, err := m.status(sys)
	if err != nil {
		return err
	}
	out.Fallback = st.Fallback
	return m.notice(st)
}

// tidyEtc removes files that were being written in the running /etc when the power
// went. Who writes there now has begun after the machine was started.
func (m *Machine) tidyEtc(sys *System) error {
	started, err := m.Started()
	if err != nil {
		return err
	}
	d, err := sys.Deploys.Get(sys.Live)
	if err != nil {
		return err
	}
	return sys.Deploys.SweepEtc(d, started)
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
	entries, err := sys.entries()
	if err != nil {
		return err
	}
	// Without a counter the entry was picked by hand or was good before: no
	// reboot would lead anywhere else.
	return m.refused(sys, sink, out, entries[sys.Booted].Counted)
}

// refuseBlindly is refuse on a machine that cannot read its boot entries, or is
// broken in another way: what it runs on may be the reason.
func (m *Machine) refuseBlindly(ctx context.Context, sink report.Sink, out *Outcome, reason error) error {
	out.Failure = reason.Error()
	sys, err := m.open(m.topDir())
	if err != nil {
		return errors.Join(reason, err)
	}
	defer sys.Close()
	sys.Booted = out.Deployment
	unlock, err := m.WaitLock(ctx, sys.lockPath())
	if err != nil {
		return errors.Join(reason, err)
	}
	defer unlock()
	if err := m.refused(sys, sink, out, true); err != nil {
		return errors.Join(reason, err)
	}
	return nil
}

func (m *Machine) refused(sys *System, sink report.Sink, out *Outcome, counted bool) error {
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
	out.Reboot = d.State == deploy.Armed && none == nil && counted &&
		d.Refused <= m.tries() // a loader that does not count would try for ever
	return nil
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
