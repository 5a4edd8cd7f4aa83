// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import "fmt"

// History keeps what transactions did.
type History interface {
	// Begin is told of a plan when all is ready and before the root is touched.
	// An error stops the transaction. end is called once, with how it went.
	Begin(plan *Plan) (end func(error), err error)
}

// recorded tells the history, where there is one, of a run that begins.
func (e *Env) recorded(plan *Plan) (end func(error), err error) {
	if e.History == nil || plan.Empty() {
		return func(error) {}, nil
	}
	if end, err = e.History.Begin(plan); err != nil {
		return nil, fmt.Errorf("write the history: %w", err)
	}
	return end, nil
}
