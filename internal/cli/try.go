// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"fmt"

	"github.com/rastos/rastos/internal/flow"
)

// try shows a plan for a trial and carries it out.
func (s *session) try(ctx context.Context, change changeFlags, plan func(*flow.World) (*flow.ChangePlan, error)) error {
	w, err := s.world(flow.Place{})
	if err != nil {
		return err
	}
	if w, err = w.ForTrial(); err != nil {
		return err
	}
	p, err := plan(w)
	if err != nil {
		return err
	}
	p.Trial = true
	if carryOut, err := s.show(p, change); err != nil || !carryOut {
		return err
	}
	t, err := s.Machine.RunTrial(ctx, s.sink(), w, p)
	if err != nil {
		return err
	}
	return s.printTrial(t)
}

func (s *session) printTrial(t *flow.Trial) error {
	if s.flags.json {
		return s.printJSON(t)
	}
	_, err := fmt.Fprintln(s.Stdout, "it is there until the machine goes down, and nothing of it stays")
	if err == nil && t.Etc {
		_, err = fmt.Fprintln(s.Stdout, "/etc is a copy until then: what is written to it goes, too")
	}
	return err
}
