// SPDX-License-Identifier: GPL-3.0-or-later

package sat

import "slices"

// Core names, after Unsatisfiable, groups of clauses that have no answer
// together, in ascending order.
func (s *Solver) Core() []int {
	if !s.broken {
		return nil
	}
	c := &derivation{s: s, groups: map[int]bool{}, clauses: map[int32]bool{}, vars: map[int32]bool{}}
	c.because(s.last)
	for len(c.queue) > 0 {
		id := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		c.follow(&s.clauses[id])
	}
	return sortedKeys(c.groups)
}

// derivation walks from a contradiction back to the clauses it comes from.
type derivation struct {
	s       *Solver
	groups  map[int]bool
	clauses map[int32]bool
	vars    map[int32]bool
	queue   []int32
}

// because takes a clause of which the literals were settled without a
// decision, and the reasons for that.
func (c *derivation) because(id int32) {
	c.clause(id)
	for _, l := range c.s.clauses[id].lits {
		c.settled(int32(l.Var()))
	}
}

func (c *derivation) clause(id int32) {
	if !c.clauses[id] {
		c.clauses[id] = true
		c.queue = append(c.queue, id)
	}
}

func (c *derivation) settled(v int32) {
	if c.vars[v] || c.s.levels[v] != 0 || c.s.reasons[v] < 0 || c.s.values[v] == unknown {
		return
	}
	c.vars[v] = true
	c.because(c.s.reasons[v])
}

func (c *derivation) follow(cl *clause) {
	if cl.group != learned {
		c.groups[cl.group] = true
		return
	}
	for _, id := range cl.from {
		c.clause(id)
	}
	for _, v := range cl.fixed {
		c.settled(v)
	}
}

func sortedKeys(m map[int]bool) []int {
	out := make([]int, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Minimize makes a core minimal: without any one of the groups that it
// returns, the others have an answer. It spends at most budget assignments;
// what it has by then is a core all the same.
func (s *Solver) Minimize(core []int, budget int) []int {
	byGroup := map[int][]int{}
	for i, c := range s.clauses {
		if c.group != learned {
			byGroup[c.group] = append(byGroup[c.group], i)
		}
	}
	needed := map[int]bool{}
	for budget > 0 {
		i := slices.IndexFunc(core, func(g int) bool { return !needed[g] })
		if i < 0 {
			break
		}
		part := s.part(slices.Delete(slices.Clone(core), i, i+1), byGroup)
		part.Budget = budget
		if part.Solve() == Unsatisfiable {
			core = part.Core()
		} else {
			needed[core[i]] = true
		}
		budget -= part.Spent() + 1
	}
	return core
}

// part is a solver over some of the groups, complete and without order.
func (s *Solver) part(groups []int, byGroup map[int][]int) *Solver {
	p := &Solver{}
	vars := map[int]int{}
	for _, g := range groups {
		for _, id := range byGroup[g] {
			var lits []Lit
			for _, l := range s.clauses[id].lits {
				v, ok := vars[l.Var()]
				if !ok {
					v = p.Var()
					p.Prefer(Neg(v))
					vars[l.Var()] = v
				}
				lits = append(lits, Pos(v)^l&1)
			}
			p.Add(g, lits...)
		}
	}
	return p
}
