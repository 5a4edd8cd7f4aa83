// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/trans"
)

func TestPeerReasons(t *testing.T) {
	l := peer(t)
	l.publish(base...)
	l.run(trans.Request{Targets: []string{"app"}})
	must(t, trans.SetReasons(context.Background(), l.environment(), map[string]desc.Reason{"app": desc.Depend, "tool": desc.Explicit}))
	if out := l.mustPacman(l.ours, "-Qe"); out != "tool 1.2-1\n" {
		t.Errorf("explicit packages: %q", out)
	}
	if out := l.mustPacman(l.ours, "-Qdt"); out != "app 1-1\n" {
		t.Errorf("unneeded packages: %q", out)
	}
	l.clean(l.ours)
}

func TestReasonsAreAllRightOrNoneIsChanged(t *testing.T) {
	l := newLab(t)
	l.publish(spec{info: "one 1-1"})
	l.run(trans.Request{Targets: []string{"one"}})
	err := trans.SetReasons(context.Background(), l.environment(), map[string]desc.Reason{"one": desc.Depend, "two": desc.Depend})
	if !errors.Is(err, localdb.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	db, err := trans.Installed(l.environment())
	must(t, err)
	if db.Package("one").Reason != desc.Explicit {
		t.Error("one was changed")
	}
	repos, err := trans.Databases(context.Background(), l.environment())
	if err != nil || len(repos) != 1 || repos[0].DB.Package("one") == nil {
		t.Errorf("databases: %v, %v", repos, err)
	}
	if left, _ := filepath.Glob(filepath.Join(l.ours, "var/lib/pacman/db.lck*")); left != nil {
		t.Errorf("left: %v", left)
	}
	must(t, os.WriteFile(filepath.Join(l.ours, "var/lib/pacman/db.lck"), nil, 0o644))
	var locked *trans.LockError
	if err := trans.SetReasons(context.Background(), l.environment(), map[string]desc.Reason{"one": desc.Depend}); !errors.As(err, &locked) {
		t.Errorf("while pacman works: %v", err)
	}
}
