// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"fmt"

	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
)

// Status is what a person wants to know first about a running machine.
type Status struct {
	Booted      DeploymentStatus   `json:"booted"`
	Live        int                `json:"live,omitempty"`     // deployment that runs in the place of the booted one
	Trial       *Trial             `json:"trial,omitempty"`    // packages that only this boot has
	Next        int                `json:"next"`               // deployment that the next boot tries first
	Fallback    string             `json:"fallback,omitempty"` // set when the machine fell back: which one failed, and why
	Deployments []DeploymentStatus `json:"deployments"`        // newest first
	Conflicts   int                `json:"etc_conflicts"`
}

// DeploymentStatus is one deployment with its node and its boot entry.
type DeploymentStatus struct {
	deploy.Deployment
	NodeInfo node.Node    `json:"node_info"`
	Entry    deploy.Entry `json:"entry"`
	Shown    string       `json:"shown_state"` // State, or "trying" while an armed one runs
}

// Status reads the state of the running machine. It changes nothing: what an
// interrupted run left is judged as recovery would judge it.
func (m *Machine) Status() (Status, error) {
	sys, err := m.Running()
	if err != nil {
		return Status{}, err
	}
	return m.status(sys)
}

func (m *Machine) status(sys *System) (Status, error) {
	var st Status
	all, entries, err := sys.assessed()
	if err != nil {
		return st, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		d := DeploymentStatus{Deployment: all[i], Entry: entries[all[i].Number], Shown: string(all[i].State)}
		d.NodeInfo, err = sys.Nodes.Get(d.Node)
		var none *node.NotFoundError
		if err != nil && !(d.State == deploy.Staged && errors.As(err, &none)) { // they may come together
			return st, err
		}
		if d.Number == sys.Booted {
			if d.State == deploy.Armed {
				d.Shown = "trying"
			}
			st.Booted = d
		}
		if d.Number == sys.Live {
			open, err := sys.Deploys.Pending(d.Deployment)
			if err != nil {
				return st, err
			}
			st.Conflicts = len(open)
		}
		exhausted := d.Entry.Counted && d.Entry.Left == 0 // the loader puts it last
		if st.Next == 0 && !exhausted && (d.State == deploy.Armed || d.State == deploy.Good) {
			st.Next = d.Number
		}
		st.Deployments = append(st.Deployments, d)
	}
	if st.Booted.Number == 0 {
		return st, fmt.Errorf("the running deployment %d is not recorded on the disk", sys.Booted)
	}
	if sys.Live != sys.Booted {
		st.Live = sys.Live
	}
	st.Fallback = fallback(st)
	st.Trial, err = m.trial()
	return st, err
}

// assessed reads the deployments as recovery would judge them, and their boot
// entries. It changes nothing.
func (sys *System) assessed() ([]deploy.Deployment, map[int]deploy.Entry, error) {
	all, err := sys.Deploys.List()
	if err != nil {
		return nil, nil, err
	}
	entries, err := sys.entries()
	if err != nil {
		return nil, nil, err
	}
	for _, bad := range deploy.Assess(all, entries, sys.Booted) {
		for i := range all {
			if all[i].Number == bad.Number {
				all[i] = bad
			}
		}
	}
	return all, entries, nil
}

// fallback says why the machine runs an older deployment than the newest.
func fallback(st Status) string {
	for _, d := range st.Deployments {
		if d.Number <= st.Booted.Number {
			return ""
		}
		if d.State == deploy.Bad {
			return fmt.Sprintf("deployment %d (node %d) failed: %s", d.Number, d.Node, d.Why)
		}
		if d.State == deploy.Armed || d.State == deploy.Good {
			return "" // a newer one is still to come
		}
	}
	return ""
}

// AlsoFailed are the other deployments than the one of Fallback that failed since
// the running one was made, newest first.
func (st Status) AlsoFailed() []DeploymentStatus {
	var out []DeploymentStatus
	for _, d := range st.Deployments {
		if d.Number > st.Booted.Number && d.State == deploy.Bad {
			out = append(out, d)
		}
	}
	return out[min(1, len(out)):]
}
