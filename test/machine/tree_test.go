// SPDX-License-Identifier: GPL-3.0-or-later

package machine

import (
	"encoding/json"
	"strings"

	"github.com/rastos/rastos/internal/flow"
)

// answer reads what a verb says with --json, its last line.
func answer[T any](l *life, argv ...string) (v T) {
	l.T.Helper()
	lines := strings.Split(l.guest(append([]string{"rastos", "--json"}, argv...)...), "\n")
	l.must(json.Unmarshal([]byte(lines[len(lines)-1]), &v))
	return v
}

// tree shapes the machine's tree of nodes from inside.
func (l *life) tree() {
	branch := answer[flow.NodeRecord](l, "snapshot", "branch", "booted", "--alias", "trial")
	done := answer[flow.ShellDone](l, "snapshot", "run", "trial", "--", "/bin/sh", "-c", "echo hi > /etc/trial; hostname > /etc/where; systemctl is-system-running > /etc/system || true")
	if n := done.Node; n == nil || n.Replaces != branch.Number || n.Kernel != branch.Kernel || !n.Files {
		l.T.Fatalf("%+v of %+v", done, branch)
	}
	root := "/run/rastos/top/@rastos/nodes/" + l.sh("rastos snapshot show trial | awk '$1 == \"node\" {print $2}'") + "/root"
	l.want("hi", "cat", root+"/etc/trial")
	l.want("offline", "cat", root+"/etc/system") // it sees no init but its own
	if out, err := l.Guest(l.ctx, "test", "-e", "/etc/trial"); err == nil {
		l.T.Errorf("the running system has it, too: %s", out)
	}
	if out, err := l.Guest(l.ctx, "rastos", "snapshot", "delete", "booted", "--yes"); err == nil {
		l.T.Errorf("the running node was deleted: %s", out)
	}
	use := answer[flow.SpaceUse](l, "snapshot", "du")
	if use.Together.Number < 3 || use.Together.Size == 0 || use.Together.Exclusive > use.Together.Size {
		l.T.Errorf("%+v", use.Together)
	}
	before := l.guest("rastos", "snapshot", "list")
	if out, err := l.Guest(l.ctx, "rastos", "snapshot", "tree-run", "booted", "--", "false"); err == nil {
		l.T.Errorf("a command that failed was kept: %s", out)
	}
	if after := l.guest("rastos", "snapshot", "list"); after != before {
		l.T.Errorf("the tree is\n%s\nafter\n%s", after, before)
	}
	l.guest("rastos", "snapshot", "delete", "trial", "--yes")
	if n := answer[flow.PrunePlan](l, "snapshot", "prune", "--dry-run"); len(n.Removed()) != 0 {
		l.T.Errorf("without rules %+v would go", n.Removed())
	}
}
