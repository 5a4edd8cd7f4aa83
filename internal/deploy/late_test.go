// SPDX-License-Identifier: GPL-3.0-or-later

package deploy

import (
	"os"
	"path/filepath"
	"testing"
)

func TestALateClashOfTypesKeepsTheOtherLateChanges(t *testing.T) {
	m := newMachine(t)
	first := m.deploy(Request{Node: m.node(0, map[string]string{"a": "1", "b": "1"})})
	next := m.deploy(Request{Node: m.node(1, map[string]string{"a": "2", "b": "1"}), From: first.Number})
	m.check(os.Remove(filepath.Join(m.EtcPath(first), "a")))
	m.write(m.EtcPath(first), "a/x", "mine")
	m.write(m.EtcPath(first), "b", "late")
	m.subs.Touch(m.EtcPath(first))
	folded, did, err := m.Fold(next)
	if err != nil || !did || len(folded.Conflicts) != 1 {
		t.Fatalf("%v, %v, conflicts %v", did, err, folded.Conflicts)
	}
	m.wantEtc(folded, map[string]string{"a/x": "mine", "a.rastnew": "2", "b": "late"})
}

func TestAFoldFromADeploymentThatIsGoneIsNone(t *testing.T) {
	m := newMachine(t)
	first := m.deploy(Request{Node: m.node(0, map[string]string{"a": "1"})})
	next := m.deploy(Request{Node: m.node(1, map[string]string{"a": "1"}), From: first.Number})
	m.check(m.Delete(first.Number))
	if _, did, err := m.Fold(next); err != nil || did {
		t.Fatalf("%v, %v", did, err)
	}
}

func TestASubvolumeInsideEtcDoesNotStopItsRemoval(t *testing.T) {
	m := newMachine(t)
	d := m.deploy(Request{Node: m.node(0, map[string]string{"a": "1"})})
	m.check(m.subs.Create(filepath.Join(m.EtcPath(d), "inner")))
	m.check(m.Delete(d.Number))
	if all, err := m.List(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}
