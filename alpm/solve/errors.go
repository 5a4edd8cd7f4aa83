// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

// exitUnsatisfiable is the documented exit code of this package's errors.
const exitUnsatisfiable = 4

// NotFoundError says that a target names nothing that there is.
type NotFoundError struct {
	Target string
	// Installed: looked for among the installed packages (a removal).
	Installed bool
	// Repository is set when the repository of "repo/name" is unknown.
	Repository string
	Near       []string
}

func (e *NotFoundError) Error() string {
	switch {
	case e.Repository != "":
		return fmt.Sprintf("target %q: there is no repository %q", e.Target, e.Repository)
	case e.Installed:
		return fmt.Sprintf("target not found: no package or group %q is installed", e.Target)
	}
	return fmt.Sprintf("target not found: no package, provide or group %q in any repository", e.Target)
}

// Hint names what may have been meant.
func (e *NotFoundError) Hint() string { return nearHint(e.Near) }

// ExitCode is 4.
func (e *NotFoundError) ExitCode() int { return exitUnsatisfiable }

// NotFoundListError says that several targets name nothing.
type NotFoundListError struct{ List []*NotFoundError }

func (e *NotFoundListError) Error() string {
	lines := make([]string, len(e.List))
	for i, n := range e.List {
		lines[i] = n.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single errors.
func (e *NotFoundListError) Unwrap() []error {
	out := make([]error, len(e.List))
	for i, n := range e.List {
		out[i] = n
	}
	return out
}

// Hint names, for each target, what may have been meant.
func (e *NotFoundListError) Hint() string {
	var hints []string
	for _, n := range e.List {
		if h := n.Hint(); h != "" {
			hints = append(hints, fmt.Sprintf("%s: %s", n.Target, h))
		}
	}
	return strings.Join(hints, "; ")
}

// ExitCode is 4.
func (e *NotFoundListError) ExitCode() int { return exitUnsatisfiable }

// Missing is one dependency that nothing meets.
type Missing struct {
	Package string // who wants it
	Version string
	Dep     desc.Dep
	// Cause names the package whose removal or upgrade breaks the dependency
	// of an installed package; empty where a new package wants it.
	Cause string
	// CauseVersion is the one that Cause is upgraded to; empty if it goes.
	CauseVersion string
	// Chain leads from Package to the target that pulled it in.
	Chain []string
	// Range are several dependencies on one name, each of which is met, but not
	// all of them by one package.
	Range []desc.Dep
	// Ignored: something would meet it, but an ignore list keeps it out.
	Ignored bool
	Near    []string
}

func (m Missing) String() string {
	var b strings.Builder
	if m.Cause != "" {
		fmt.Fprintf(&b, "%s %s is installed and needs %s, which removing or changing %s would break", m.Package, m.Version, m.Dep, m.Cause)
		return b.String()
	}
	if len(m.Range) > 0 {
		words := make([]string, len(m.Range))
		for i, d := range m.Range {
			words[i] = d.String()
		}
		fmt.Fprintf(&b, "%s %s needs %s in one package, and there is none", m.Package, m.Version, strings.Join(words, " and "))
		return b.String()
	}
	fmt.Fprintf(&b, "%s %s needs %s, which no repository has", m.Package, m.Version, m.Dep)
	if m.Ignored {
		b.Reset()
		fmt.Fprintf(&b, "%s %s needs %s, which an ignore list keeps out", m.Package, m.Version, m.Dep)
	}
	if len(m.Chain) > 1 {
		fmt.Fprintf(&b, " (wanted by %s)", strings.Join(m.Chain[1:], ", wanted by "))
	}
	return b.String()
}

// UnsatisfiedError lists dependencies that cannot be met.
type UnsatisfiedError struct {
	Missing []Missing
	// Trail is Missing and, after each, what fell with it: dependencies that a
	// repository has, in a package that lacks one of its own.
	Trail []Missing
	// Why are the reasons why no other choice of packages helps.
	Why []string
}

func (e *UnsatisfiedError) Error() string {
	lines := make([]string, len(e.Missing))
	for i, m := range e.Missing {
		lines[i] = m.String()
	}
	return "dependencies cannot be met: " + strings.Join(lines, "; ") + because(e.Why)
}

// because lists reasons that only together are one.
func because(why []string) string {
	if len(why) < 2 {
		return ""
	}
	return "\nsince all of this is so:\n  " + strings.Join(why, "\n  ")
}

// explained adds to an error why the search found nothing.
func explained(err error, why []string) error {
	var unmet *UnsatisfiedError
	var conflict *ConflictError
	switch {
	case errors.As(err, &unmet):
		unmet.Why = why
	case errors.As(err, &conflict):
		conflict.Why = why
	}
	return err
}

// Hint tells the way out.
func (e *UnsatisfiedError) Hint() string {
	for _, m := range e.Missing {
		switch {
		case len(m.Near) > 0:
			return nearHint(m.Near)
		case m.Ignored:
			return "take the package off the ignore list"
		case m.Cause != "":
			return fmt.Sprintf("upgrade or remove %s in the same step", m.Package)
		}
	}
	return ""
}

// ExitCode is 4.
func (e *UnsatisfiedError) ExitCode() int { return exitUnsatisfiable }

// ConflictError says that two packages cannot be installed together.
type ConflictError struct {
	Package, Other string
	Dep            desc.Dep // the conflict as one of them words it
	Installed      bool     // Other is installed; otherwise both are targets
	Why            []string // the reasons why no other choice of packages helps
}

func (e *ConflictError) Error() string {
	what := "both are to be installed"
	if e.Installed {
		what = e.Other + " is installed"
	}
	via := ""
	if e.Dep.Name != e.Other && e.Dep.Name != e.Package {
		via = " over " + e.Dep.String()
	}
	return fmt.Sprintf("%s and %s conflict%s (%s)", e.Package, e.Other, via, what) + because(e.Why)
}

// Hint tells the way out.
func (e *ConflictError) Hint() string {
	if e.Installed {
		return fmt.Sprintf("remove %s in the same step, or allow it to be replaced", e.Other)
	}
	return "choose one of the two"
}

// ExitCode is 4.
func (e *ConflictError) ExitCode() int { return exitUnsatisfiable }

// DuplicateError says that one name was asked for as two different packages.
type DuplicateError struct {
	Name, First, Second string
	Again               *desc.Package // the second of the two, where it is a target
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("%s is asked for twice, as %s and as %s", e.Name, e.First, e.Second)
}

// ExitCode is 4.
func (e *DuplicateError) ExitCode() int { return exitUnsatisfiable }

// ArchError says that a package is made for another machine.
type ArchError struct {
	Package, Arch string
	Allowed       []string
	All           []*desc.Package // targets of which this is true
}

func (e *ArchError) Error() string {
	return fmt.Sprintf("package %s is for %s; this system takes %s and any", e.Package, e.Arch, strings.Join(e.Allowed, ", "))
}

// ExitCode is 4.
func (e *ArchError) ExitCode() int { return exitUnsatisfiable }

// HoldError says that HoldPkg protects a package from removal.
type HoldError struct{ Package string }

func (e *HoldError) Error() string {
	return fmt.Sprintf("%s is held (HoldPkg) and would be removed", e.Package)
}

// ExitCode is 4.
func (e *HoldError) ExitCode() int { return exitUnsatisfiable }

func nearHint(near []string) string {
	if len(near) == 0 {
		return ""
	}
	return "did you mean " + strings.Join(near, ", ") + "?"
}
