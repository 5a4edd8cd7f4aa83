// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rastos/rastos/alpm/trans"
)

// notes is a History that writes down what it is told.
type notes struct {
	lines  []string
	refuse error
}

func (n *notes) Begin(p *trans.Plan) (func(error), error) {
	if n.refuse != nil {
		return nil, n.refuse
	}
	n.lines = append(n.lines, fmt.Sprintf("begin +%d -%d", len(p.Install), len(p.Remove)))
	return func(err error) { n.lines = append(n.lines, fmt.Sprintf("end %v", err != nil)) }, nil
}

func TestTheHistoryIsToldOfWhatChangesTheRootAlone(t *testing.T) {
	l, n := newLab(t), &notes{}
	l.env = func(e *trans.Env) { e.History = n }
	l.publish(spec{info: "a 1-1", files: map[string]string{"f": "a"}}, spec{info: "b 1-1", files: map[string]string{"f": "b"}})
	l.run(trans.Request{Targets: []string{"a"}})
	l.run(trans.Request{Targets: []string{"a"}, Needed: true}) // nothing to do
	if _, err := l.try(trans.Request{Targets: []string{"b"}}); err == nil {
		t.Error("a file in the way was overwritten")
	}
	l.run(trans.Request{Remove: []string{"a"}})
	want := "[begin +1 -0 end false begin +0 -1 end false]"
	if got := fmt.Sprint(n.lines); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	// What cannot be recorded is not done.
	n.refuse = errors.New("the disk is full")
	if _, err := l.try(trans.Request{Targets: []string{"b"}}); !errors.Is(err, n.refuse) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(filepath.Join(l.ours, "f")); err == nil {
		t.Error("the root was changed")
	}
}
