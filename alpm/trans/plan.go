// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
)

// Plan is what a transaction will do, in order. It can be shown, written as
// JSON, read back and run.
type Plan struct {
	Install []Step       `json:"install"`
	Remove  []Removal    `json:"remove"`
	Notes   []solve.Note `json:"notes,omitempty"`
	Held    []solve.Held `json:"held_back,omitempty"` // what could not be upgraded with the rest
	Sizes   Sizes        `json:"sizes"`
	Options Options      `json:"options"`

	// proven remembers which archives were verified by this process, lessons
	// what the keyring packages among them taught.
	proven  proofs
	lessons []Lesson
}

// Learned tells which keys the keyring packages of the plan brought, once its
// archives are verified (Download, Run).
func (p *Plan) Learned() []Lesson { return p.lessons }

// Step is one package to install, upgrade, downgrade or reinstall.
type Step struct {
	Package *desc.Package `json:"package"`
	Repo    string        `json:"repo,omitempty"`
	File    string        `json:"file,omitempty"`   // the archive, where it was given as one
	Remote  bool          `json:"remote,omitempty"` // File was given as a URL
	Old     *desc.Package `json:"old,omitempty"`
	Reason  desc.Reason   `json:"reason"`
	// Target is the request that named it; empty for a dependency.
	Target string `json:"target,omitempty"`
	// RequiredBy names the packages of the plan that depend on it, the one
	// that pulled it in first.
	RequiredBy []string `json:"required_by,omitempty"`
	// Replaces names the installed packages that go away for it.
	Replaces []string `json:"replaces,omitempty"`
	// Download is how many bytes are not in the cache yet.
	Download int64 `json:"download"`
}

// Removal is one installed package to remove.
type Removal struct {
	Package *desc.Package `json:"package"`
	Cause   solve.Cause   `json:"cause"`
	By      string        `json:"by,omitempty"`
}

// Sizes sums up a plan, in bytes.
type Sizes struct {
	Download  int64 `json:"download"`
	Installed int64 `json:"installed"` // all that is installed by it
	Removed   int64 `json:"removed"`   // old versions included
	Net       int64 `json:"net"`
}

// Empty tells whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Install) == 0 && len(p.Remove) == 0 }

// Why returns the chain from a package up to the target that wanted it.
func (p *Plan) Why(name string) []string {
	s := solve.Solution{}
	for _, st := range p.Install {
		s.Install = append(s.Install, solve.Install{Package: st.Package, Target: st.Target, RequiredBy: st.RequiredBy})
	}
	return s.Why(name)
}

// Sum fills in the sizes.
func (p *Plan) Sum() {
	p.Sizes = Sizes{}
	for _, st := range p.Install {
		p.Sizes.Download += st.Download
		p.Sizes.Installed += st.Package.InstalledSize
		if st.Old != nil {
			p.Sizes.Removed += st.Old.InstalledSize
		}
	}
	for _, rm := range p.Remove {
		p.Sizes.Removed += rm.Package.InstalledSize
	}
	p.Sizes.Net = p.Sizes.Installed - p.Sizes.Removed
}

// Fits makes sure that the plan was made for these versions of what is
// installed; "" is not installed. The error is a *StaleError.
func (p *Plan) Fits(installed func(name string) string) error {
	for _, st := range p.Install {
		planned := ""
		switch {
		case p.removes(st.Package.Name):
			continue // and comes back; the removal is checked below
		case st.Old != nil:
			planned = st.Old.Version
		}
		if now := installed(st.Package.Name); now != planned {
			return &StaleError{Package: st.Package.Name, Planned: planned, Found: now}
		}
	}
	for _, rm := range p.Remove {
		if now := installed(rm.Package.Name); now != rm.Package.Version {
			return &StaleError{Package: rm.Package.Name, Planned: rm.Package.Version, Found: now}
		}
	}
	return nil
}

func (p *Plan) removes(name string) bool {
	return slices.ContainsFunc(p.Remove, func(rm Removal) bool { return rm.Package.Name == name })
}
