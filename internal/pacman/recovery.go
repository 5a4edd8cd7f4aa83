// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"errors"

	"github.com/rastos/rastos/alpm/trans"
)

// recovery shows, and logs, how a transaction that was cut off earlier is
// finished or taken back, before the one that was asked for begins.
func (s *session) recovery(e trans.Event) {
	switch e.Kind {
	case trans.EventRecover:
		if !e.Finished {
			s.colon("Going on with an interrupted transaction...\n")
			break
		}
		s.print(e.Text, "\n")
		s.log(byEngine, e.Text)
	case trans.EventRemove, trans.EventInstall, trans.EventUpgrade:
		if !e.Finished {
			s.log(byEngine, map[trans.EventKind]string{
				trans.EventRemove: "removing ", trans.EventInstall: "installing ", trans.EventUpgrade: "upgrading ",
			}[e.Kind]+e.Name+" ("+e.Text+"), for an interrupted transaction")
		}
	case trans.EventOutput:
		s.log("ALPM-SCRIPTLET", e.Text)
		s.print(e.Text, "\n")
	case trans.EventPacnew, trans.EventPacsave, trans.EventWarning:
		s.log(byEngine, "warning: "+e.Text)
		s.warnf("%s", e.Text)
	}
	_ = s.out.Flush()
}

// lockFailed says that somebody else works on the database, or why what an
// interrupted transaction left cannot be put right.
func (s *session) lockFailed(err error) {
	var held *trans.LockError
	var cut *trans.UnfinishedError
	if errors.As(err, &cut) {
		s.errorf("failed to init transaction (%v)", cut)
		s.stderr("%s\n", cut.Hint())
		return
	}
	s.errorf("failed to init transaction (unable to lock database)")
	if !errors.As(err, &held) {
		s.errorf("could not lock database: %s", reason(err))
		return
	}
	s.errorf("could not lock database: File exists")
	if held.PID > 0 {
		s.stderr("  it is held by %s (pid %d)\n", held.Program, held.PID)
		return
	}
	if held.Left {
		s.stderr("  no program here has it open: the one that made it was interrupted\n")
	}
	s.stderr("  if you're sure a package manager is not already\n  running, you can remove %s\n", s.conf.lockFile())
}
