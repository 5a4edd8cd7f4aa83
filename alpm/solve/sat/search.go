// SPDX-License-Identifier: GPL-3.0-or-later

package sat

// Solve searches for an assignment. After Satisfiable it may be asked with
// True; more clauses may then be added and Solve called again.
func (s *Solver) Solve() Status {
	for {
		conflict := s.settle()
		switch {
		case s.broken:
			return Unsatisfiable
		case conflict >= 0:
			if !s.learn(conflict) {
				return Unsatisfiable
			}
		case !s.decide() && !s.complete():
			return Satisfiable
		}
		if s.Budget > 0 && s.spent > s.Budget {
			return Exhausted
		}
	}
}

// settle propagates and expands until nothing follows any more. It returns a
// clause that is false, or -1.
func (s *Solver) settle() int32 {
	for !s.broken {
		for n := len(s.late); n > 0; n = len(s.late) {
			id := s.late[n-1]
			s.late = s.late[:n-1]
			if s.falsified(id) {
				return id
			}
		}
		if id := s.propagate(); id >= 0 {
			return id
		}
		if s.grown == len(s.trail) {
			return -1
		}
		l := s.trail[s.grown]
		s.grown++
		if !s.expanded[l] {
			s.expanded[l] = true
			if s.Expand != nil {
				s.Expand(l)
			}
		}
	}
	return -1
}

func (s *Solver) falsified(id int32) bool {
	for _, l := range s.clauses[id].lits {
		if s.value(l) != no {
			return false
		}
	}
	return true
}

// propagate follows the clauses of which one literal is left.
func (s *Solver) propagate() int32 {
	for s.head < len(s.trail) {
		gone := s.trail[s.head].Not()
		s.head++
		list := s.watches[gone]
		kept := list[:0]
		for i, id := range list {
			keep, conflict := s.visit(id, gone)
			if keep {
				kept = append(kept, id)
			}
			if conflict {
				kept = append(kept, list[i+1:]...)
				s.watches[gone] = kept
				return id
			}
		}
		s.watches[gone] = kept
	}
	return -1
}

// visit looks at a clause of which the watched literal gone became false.
func (s *Solver) visit(id int32, gone Lit) (keep, conflict bool) {
	lits := s.clauses[id].lits
	if lits[0] == gone {
		lits[0], lits[1] = lits[1], lits[0]
	}
	if s.value(lits[0]) == yes {
		return true, false
	}
	for i := 2; i < len(lits); i++ {
		if s.value(lits[i]) != no {
			lits[1], lits[i] = lits[i], lits[1]
			s.watches[lits[1]] = append(s.watches[lits[1]], id)
			return false, false
		}
	}
	if s.value(lits[0]) == no {
		return true, true
	}
	s.assign(lits[0], id)
	return true, false
}

// decide tries the next literal: preferences first, then open choices, then
// what is for last. What nobody asks for becomes false. It returns false when nothing is left.
func (s *Solver) decide() bool {
	for ; s.at.prefer < len(s.prefer); s.at.prefer++ {
		if l := s.prefer[s.at.prefer]; s.value(l) == unknown {
			s.try(l)
			return true
		}
	}
	for ; s.at.choice < len(s.choices); s.at.choice++ {
		if l, open := s.open(&s.choices[s.at.choice]); open {
			s.try(l)
			return true
		}
	}
	for ; s.at.last < len(s.lasts); s.at.last++ {
		if l := s.lasts[s.at.last]; s.value(l) == unknown {
			s.try(l)
			return true
		}
	}
	return false
}

// complete looks whether all clauses hold when every variable that is still
// open is false. A clause that was added above the level where it has one
// literal left can be missed by propagate after going back; what it asks for
// is made true here.
func (s *Solver) complete() (found bool) {
	for id := range s.clauses {
		open := Lit(-1)
		holds := false
		for _, l := range s.clauses[id].lits {
			v := s.value(l)
			if v == yes || v == unknown && l&1 == 1 {
				holds = true
				break
			}
			if v == unknown && open < 0 {
				open = l
			}
		}
		if !holds && open >= 0 {
			s.try(open)
			return true
		}
	}
	return false
}

// open returns the first option of a choice that has to be made.
func (s *Solver) open(c *choice) (Lit, bool) {
	if c.guarded && s.value(c.guard) != no {
		return 0, false
	}
	first, found := Lit(0), false
	for _, l := range c.options {
		switch s.value(l) {
		case yes:
			return 0, false
		case unknown:
			if !found {
				first, found = l, true
			}
		}
	}
	return first, found
}

func (s *Solver) try(l Lit) {
	s.limits = append(s.limits, limit{len(s.trail), s.at})
	s.assign(l, -1)
}

// learn finds out which decisions made the clause false, remembers that, and
// goes back to where it matters. It returns false when no decision is to
// blame: there is no answer.
func (s *Solver) learn(conflict int32) bool {
	top := int32(0)
	for _, l := range s.clauses[conflict].lits {
		top = max(top, s.levels[l.Var()])
	}
	if top == 0 {
		s.fail(conflict)
		return false
	}
	s.undo(top)
	c := clause{group: learned, lits: []Lit{0}}
	open, back := 0, int32(0)
	var marked []int
	look := func(id int32) {
		c.from = append(c.from, id)
		for _, l := range s.clauses[id].lits {
			v := l.Var()
			if s.seen[v] || s.value(l) != no {
				continue
			}
			s.seen[v] = true
			marked = append(marked, v)
			switch lv := s.levels[v]; {
			case lv == 0:
				c.fixed = append(c.fixed, int32(v))
			case lv == top:
				open++
			default:
				c.lits = append(c.lits, l)
				back = max(back, lv)
			}
		}
	}
	look(conflict)
	for i := len(s.trail) - 1; ; i-- {
		l := s.trail[i]
		if !s.seen[l.Var()] || s.levels[l.Var()] != top {
			continue
		}
		open--
		if open == 0 {
			c.lits[0] = l.Not()
			break
		}
		look(s.reasons[l.Var()])
	}
	for _, v := range marked {
		s.seen[v] = false
	}
	s.undo(back)
	s.attach(c)
	return true
}
