// SPDX-License-Identifier: GPL-3.0-or-later

// Package sat decides whether clauses over boolean variables can all hold, and
// finds the assignment that its caller likes best: conflict-driven clause
// learning with three things that package dependencies ask for.
//
//   - Order: the search tries the caller's preferences one after the other
//     (Prefer), then, for each choice that is open, its options in their order
//     (Choose), and what is to be tried last (Last). Nothing is made true
//     without a preference, a choice or a clause that asks for it. There is no randomness and no restart, so the
//     same calls give the same answer.
//   - Laziness: Expand is called when a literal becomes true for the first
//     time, and may add variables and clauses. What the search never looks at
//     is never built.
//   - Reasons: every clause belongs to a group; where there is no answer, Core
//     names the groups that exclude one, and Minimize makes that set minimal.
//
// Not implemented: restarts, activity, preprocessing and clause deletion,
// which large industrial problems need and universes of packages do not.
package sat

// Lit is a variable or its negation.
type Lit int32

// Pos is the literal that holds where variable v is true.
func Pos(v int) Lit { return Lit(v << 1) }

// Neg is the literal that holds where variable v is false.
func Neg(v int) Lit { return Lit(v<<1 | 1) }

// Not is the opposite literal.
func (l Lit) Not() Lit { return l ^ 1 }

// Var is the variable of the literal.
func (l Lit) Var() int { return int(l >> 1) }

// Status is what a search came to.
type Status int

// The outcomes of Solve.
const (
	Satisfiable Status = iota
	Unsatisfiable
	Exhausted // the budget was too small to know
)

type value int8

const (
	unknown value = iota
	yes
	no
)

// learned is the group of clauses that follow from others.
const learned = -1

type clause struct {
	lits  []Lit
	group int
	from  []int32 // learned: the clauses it follows from …
	fixed []int32 // … and the variables that were settled without a decision
}

// choice is a clause whose options are tried in their order while its guard
// does not hold.
type choice struct {
	guard   Lit
	guarded bool
	options []Lit
}

// Solver holds the clauses and the state of the search. The zero value is
// ready.
type Solver struct {
	// Expand is told of each literal when it is true for the first time. It
	// may add variables, clauses, choices and preferences.
	Expand func(Lit)
	// Budget bounds the work, in assignments; zero is no bound.
	Budget int

	clauses  []clause
	watches  [][]int32 // by literal: the clauses to look at when it is false
	values   []value   // by variable
	levels   []int32
	reasons  []int32 // the clause that made it so, or -1
	seen     []bool
	expanded []bool // by literal
	trail    []Lit
	head     int // of the trail: what is propagated
	grown    int // of the trail: what is expanded
	limits   []limit
	prefer   []Lit
	choices  []choice
	lasts    []Lit
	guards   []int32 // by literal: 1 + the first choice that opens when it is true
	at       cursor
	late     []int32 // clauses that were false when they were added
	broken   bool    // no answer without any decision
	last     int32   // the clause that showed it
	spent    int
}

// cursor is how far the preferences and choices are settled.
type cursor struct{ prefer, choice, last int }

// limit is the state when a decision was made.
type limit struct {
	trail int
	at    cursor
}

// Var makes a new variable.
func (s *Solver) Var() int {
	v := len(s.values)
	s.values = append(s.values, unknown)
	s.levels = append(s.levels, 0)
	s.reasons = append(s.reasons, -1)
	s.seen = append(s.seen, false)
	s.expanded = append(s.expanded, false, false)
	s.watches = append(s.watches, nil, nil)
	s.guards = append(s.guards, 0, 0)
	return v
}

// True tells whether l holds in the answer.
func (s *Solver) True(l Lit) bool { return s.value(l) == yes }

// Spent is how many assignments were made so far.
func (s *Solver) Spent() int { return s.spent }

func (s *Solver) value(l Lit) value {
	v := s.values[l.Var()]
	if v == unknown || l&1 == 0 {
		return v
	}
	return yes + no - v
}

// Prefer makes the search try l, after the preferences before it.
func (s *Solver) Prefer(l Lit) { s.prefer = append(s.prefer, l) }

// Last makes the search try l when no choice is open any more.
func (s *Solver) Last(l Lit) { s.lasts = append(s.lasts, l) }

// Choose adds the clause "guard or one of the options". While guard does not
// hold and none of the options does, the search tries them in their order.
func (s *Solver) Choose(group int, guard Lit, options ...Lit) {
	n := len(s.choices)
	if s.guards[guard.Not()] == 0 {
		s.guards[guard.Not()] = int32(n) + 1
	}
	s.at.choice = min(s.at.choice, n)
	s.choices = append(s.choices, choice{guard: guard, guarded: true, options: options})
	s.Add(group, append([]Lit{guard}, options...)...)
}

// Want adds the clause "one of the options", tried in their order.
func (s *Solver) Want(group int, options ...Lit) {
	s.choices = append(s.choices, choice{options: options})
	s.Add(group, options...)
}

// Add adds a clause: one of the literals must hold. It may be called at any
// time, by Expand too.
func (s *Solver) Add(group int, lits ...Lit) {
	s.attach(clause{lits: append([]Lit(nil), lits...), group: group})
}

// attach puts the clause in, whatever is assigned at the moment.
func (s *Solver) attach(c clause) int32 {
	id := int32(len(s.clauses))
	lits := c.lits
	for i := 0; i < min(2, len(lits)); i++ { // the best two to watch come first
		best := i
		for j := i + 1; j < len(lits); j++ {
			if s.rank(lits[j]) > s.rank(lits[best]) {
				best = j
			}
		}
		lits[i], lits[best] = lits[best], lits[i]
	}
	s.clauses = append(s.clauses, c)
	switch {
	case len(lits) == 0:
		s.fail(id)
		return id
	case len(lits) > 1:
		s.watches[lits[0]] = append(s.watches[lits[0]], id)
		s.watches[lits[1]] = append(s.watches[lits[1]], id)
	}
	switch {
	case s.value(lits[0]) == no:
		s.late = append(s.late, id)
	case s.value(lits[0]) == unknown && (len(lits) == 1 || s.value(lits[1]) == no):
		s.assign(lits[0], id)
	}
	return id
}

// rank says how good a literal is to watch: true or open, else false as late
// as possible.
func (s *Solver) rank(l Lit) int {
	if s.value(l) != no {
		return int(^uint(0) >> 1)
	}
	return int(s.levels[l.Var()])
}

func (s *Solver) fail(id int32) {
	if !s.broken {
		s.broken, s.last = true, id
	}
}

func (s *Solver) level() int32 { return int32(len(s.limits)) }

// assign makes l true because of a clause, or by decision (-1). A clause of
// one literal holds at all levels, but it is assigned at the present one: it
// is looked at again by undo.
func (s *Solver) assign(l Lit, why int32) {
	v := l.Var()
	s.values[v] = yes
	if l&1 == 1 {
		s.values[v] = no
	}
	s.levels[v] = s.level()
	s.reasons[v] = why
	s.trail = append(s.trail, l)
	s.spent++
	if first := s.guards[l]; first > 0 {
		s.at.choice = min(s.at.choice, int(first)-1)
	}
}

// undo takes back all above a level.
func (s *Solver) undo(level int32) {
	if level >= s.level() {
		return
	}
	to := s.limits[level]
	var kept []Lit // what a single clause says stays true
	for i := len(s.trail) - 1; i >= to.trail; i-- {
		l := s.trail[i]
		if r := s.reasons[l.Var()]; r >= 0 && len(s.clauses[r].lits) == 1 {
			kept = append(kept, l)
		}
		s.values[l.Var()] = unknown
	}
	s.trail = s.trail[:to.trail]
	s.head, s.grown = min(s.head, to.trail), min(s.grown, to.trail)
	s.limits = s.limits[:level]
	s.at = to.at
	for i := len(kept) - 1; i >= 0; i-- {
		s.assign(kept[i], s.reasons[kept[i].Var()])
	}
}
