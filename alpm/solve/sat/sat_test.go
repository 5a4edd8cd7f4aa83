// SPDX-License-Identifier: GPL-3.0-or-later

package sat

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// formula is clauses over a few variables; negative numbers are negations.
type formula [][]int

func lit(n int) Lit {
	if n < 0 {
		return Neg(-n - 1)
	}
	return Pos(n - 1)
}

// holds tries all assignments.
func (f formula) satisfiable(vars int) bool {
	for bits := 0; bits < 1<<vars; bits++ {
		if f.holds(func(v int) bool { return bits>>v&1 == 1 }) {
			return true
		}
	}
	return false
}

func (f formula) holds(value func(v int) bool) bool {
	return !slices.ContainsFunc(f, func(c []int) bool {
		return !slices.ContainsFunc(c, func(n int) bool { return value(lit(n).Var()) == (n > 0) })
	})
}

const testVars = 6

func anyFormula(t *rapid.T) formula {
	one := rapid.Custom(func(t *rapid.T) int {
		n := rapid.IntRange(1, testVars).Draw(t, "variable")
		if rapid.Bool().Draw(t, "negated") {
			return -n
		}
		return n
	})
	return rapid.SliceOfN(rapid.SliceOfN(one, 1, 3), 1, 24).Draw(t, "clauses")
}

// load adds the clauses: some at once, some when a literal becomes true, some
// as choices.
func load(t *rapid.T, f formula) *Solver {
	s := &Solver{}
	for range testVars {
		s.Var()
	}
	waiting := map[Lit][]int{}
	add := func(i int) {
		var lits []Lit
		for _, n := range f[i] {
			lits = append(lits, lit(n))
		}
		if len(lits) > 1 && i%2 == 0 {
			s.Choose(i, lits[0], lits[1:]...)
			return
		}
		s.Add(i, lits...)
	}
	for i := range f {
		if rapid.Bool().Draw(t, "lazy") { // relevant once its first literal is false
			waiting[lit(f[i][0]).Not()] = append(waiting[lit(f[i][0]).Not()], i)
			continue
		}
		add(i)
	}
	s.Expand = func(l Lit) {
		for _, i := range waiting[l] {
			add(i)
		}
	}
	for v := range testVars {
		if rapid.Bool().Draw(t, "preferred") {
			s.Prefer(Pos(v))
		} else {
			s.Prefer(Neg(v))
		}
	}
	return s
}

func TestTheAnswerIsRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFormula(t)
		s := load(t, f)
		switch status := s.Solve(); {
		case status == Satisfiable && !f.holds(func(v int) bool { return s.True(Pos(v)) }):
			t.Fatalf("%v: the answer is wrong", f)
		case status != Satisfiable && f.satisfiable(testVars):
			t.Fatalf("%v: there is an answer", f)
		}
	})
}

func TestTheCoreIsMinimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFormula(t)
		s := load(t, f)
		if s.Solve() != Unsatisfiable {
			return
		}
		some := func(groups []int) (out formula) {
			for _, g := range groups {
				out = append(out, f[g])
			}
			return out
		}
		core := s.Core()
		if some(core).satisfiable(testVars) {
			t.Fatalf("%v: %v is no core", f, core)
		}
		core = s.Minimize(core, 10000)
		if some(core).satisfiable(testVars) {
			t.Fatalf("%v: %v is no core", f, core)
		}
		for i := range core {
			if less := slices.Delete(slices.Clone(core), i, i+1); !some(less).satisfiable(testVars) {
				t.Fatalf("%v: %v is not minimal, %v does", f, core, less)
			}
		}
	})
}

func TestOptionsAreTriedInOrder(t *testing.T) {
	s := &Solver{}
	a, b, c, d := s.Var(), s.Var(), s.Var(), s.Var()
	s.Want(0, Pos(a))
	s.Choose(1, Neg(a), Pos(b), Pos(c), Pos(d))
	s.Add(2, Neg(a), Neg(b))
	if s.Solve() != Satisfiable || !s.True(Pos(a)) || s.True(Pos(b)) || !s.True(Pos(c)) || s.True(Pos(d)) {
		t.Error("want a and c, nothing else")
	}
	s.Add(3, Neg(c))
	if s.Solve() != Satisfiable || s.True(Pos(c)) || !s.True(Pos(d)) {
		t.Error("want d once c is excluded")
	}
}

func TestLastComesAfterChoices(t *testing.T) {
	s := &Solver{}
	a, old, new := s.Var(), s.Var(), s.Var()
	s.Last(Pos(old))
	s.Add(0, Neg(old), Neg(new))
	s.Want(1, Pos(a))
	s.Choose(2, Neg(a), Pos(new), Pos(old))
	if s.Solve() != Satisfiable || !s.True(Pos(new)) || s.True(Pos(old)) {
		t.Error("want the first option of the choice")
	}
}

func TestNothingIsTrueWithoutNeed(t *testing.T) {
	s := &Solver{}
	a, b := s.Var(), s.Var()
	s.Choose(0, Neg(a), Pos(b))
	if s.Solve() != Satisfiable || s.True(Pos(a)) || s.True(Pos(b)) {
		t.Error("nobody wants a")
	}
}

// pigeons is the formula that says n+1 pigeons fit into n holes.
func pigeons(n int) *Solver {
	s := &Solver{}
	at := make([][]int, n+1)
	for p := range at {
		var options []Lit
		for range n {
			v := s.Var()
			at[p] = append(at[p], v)
			options = append(options, Pos(v))
		}
		s.Want(p, options...)
	}
	for h := range n {
		for p := range at {
			for q := range p {
				s.Add(n+1, Neg(at[p][h]), Neg(at[q][h]))
			}
		}
	}
	return s
}

func TestBudget(t *testing.T) {
	s := pigeons(9)
	s.Budget = 5000
	if got := s.Solve(); got != Exhausted || s.Spent() > 6000 {
		t.Errorf("status %v after %d", got, s.Spent())
	}
	if got := pigeons(5).Solve(); got != Unsatisfiable {
		t.Errorf("status %v", got)
	}
}
