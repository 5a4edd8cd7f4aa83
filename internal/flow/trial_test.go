// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
)

// try tries packages on the box.
func (b *packageBox) try(table *mountTable, targets ...string) (*Trial, error) {
	b.t.Helper()
	b.Mounts, b.Programs = table, &noPrograms{}
	if b.Init == nil {
		b.Init = firstProcess{}
	}
	w, err := b.world().ForTrial()
	if err != nil {
		return nil, err
	}
	p, err := b.PlanChange(b.t.Context(), report.Discard{}, w, ChangeRequest{Request: trans.Request{Targets: targets}, Verb: "install", Refresh: true})
	b.check(err)
	return b.RunTrial(b.t.Context(), report.Discard{}, w, p)
}

// begin begins a change, and so takes back what was left.
func (b *packageBox) begin() {
	b.t.Helper()
	sys, err := b.Running()
	b.check(err)
	b.check(b.locked(sys, report.Discard{}, func() error { return nil }))
}

func (b *packageBox) exists(path string, want bool) {
	b.t.Helper()
	if _, err := os.Lstat(path); (err == nil) != want {
		b.t.Errorf("%s: %v", path, err)
	}
}

func TestATrialIsGoneWithTheBoot(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "extra", "1-1", map[string]string{
		"usr/bin/extra": "x", "etc/extra.conf": "a", "var/lib/extra/state": "s", "var/lib/extra.seed": "f",
	}, nil))
	table := &mountTable{}
	tried, err := b.try(table, "extra")
	b.check(err)
	state, seed := filepath.Join(b.top, "@var/lib/extra"), filepath.Join(b.top, "@var/lib/extra.seed")
	if want := []string{"@var/lib/extra", "@var/lib/extra.seed"}; !tried.Etc || !slices.Equal(tried.Points, want) {
		t.Errorf("%+v", tried)
	}
	for dir, source := range map[string]string{
		"/usr": "root/usr", "/etc": "etc", "/var/lib/extra": "root/var/lib/extra", "/var/lib/extra.seed": "root/var/lib/extra.seed",
	} {
		if want := filepath.Join(tried.Work, source); table.top(dir) != want {
			t.Errorf("%s shows %s", dir, table.top(dir))
		}
		b.exists(filepath.Join(tried.Work, source), true)
	}
	b.exists(filepath.Join(tried.Work, "etc/extra.conf"), true)

	// It lives as long as the boot, whatever else is changed, and is no deployment.
	b.begin()
	b.exists(tried.Work, true)
	b.exists(state, true)
	st, err := b.Status()
	b.check(err)
	if st.Trial == nil || st.Trial.Work != tried.Work || len(st.Deployments) != 2 || st.Next != b.booted {
		t.Errorf("status %+v", st)
	}
	var second *trialRuns
	if _, err := b.try(table, "extra"); !errors.As(err, &second) {
		t.Errorf("a second trial: %v", err)
	}
	publish(t, b.repo, makePackage(t, b.repo, "tool", "2-1", nil, nil))
	done, _, err := b.liveOver(table, trans.Request{SysUpgrade: true})
	b.check(err)
	if done.Live || len(done.NotLive) != 1 || !strings.HasPrefix(done.NotLive[0], "a trial runs") {
		t.Errorf("applied at once under a trial: %+v", done)
	}
	if got := b.versions(done.Deployment.Node); got["extra"] != "" {
		t.Errorf("what is tried got into a node: %v", got)
	}

	b.check(os.WriteFile(seed, []byte("mine"), 0o600)) // not ours to remove any more
	b.check(os.Remove(b.trialMark()))                  // the machine went down
	b.begin()
	b.exists(tried.Work, false)
	b.exists(state, false)
	b.exists(seed, true)
}

func TestWhatNeedsMoreIsNotTried(t *testing.T) {
	b := newPackageBox(t)
	publish(t, b.repo, makePackage(t, b.repo, "extra", "1-1", map[string]string{"sbin/init": "another", "new/file": "x"}, nil))
	table := &mountTable{}
	_, err := b.try(table, "extra")
	var refused *trialError
	if !errors.As(err, &refused) || !slices.Contains(refused.obstacles, "init changes: /sbin/init") ||
		!slices.Contains(refused.obstacles, "the root folder changes: /new") || len(table.calls) > 0 {
		t.Errorf("%v; mounts %v", err, table.calls)
	}
	b.noOrphans(b.system(b.booted))
}

// TestAKilledTrialIsTakenBack at whatever step.
func TestAKilledTrialIsTakenBack(t *testing.T) {
	killed := func(t *testing.T, last int) (steps int, err error) {
		b := newPackageBox(t)
		publish(t, b.repo, makePackage(t, b.repo, "extra", "1-1", map[string]string{"etc/extra.conf": "a", "var/lib/extra/state": "s"}, nil))
		table := &mountTable{last: last}
		_, err = b.try(table, "extra")
		steps, table.last = len(table.calls), 0
		b.begin()
		for _, dir := range []string{"/usr", "/etc", "/var/lib/extra"} {
			if there := len(table.stack[dir]) > 0; there != (err == nil) {
				t.Errorf("%s shows %s", dir, table.top(dir))
			}
		}
		b.exists(filepath.Join(b.top, "@var/lib/extra"), err == nil)
		b.exists(b.exchangeJournal(), false)
		return steps, err
	}
	killedAnywhere(t, 9, killed)
}
