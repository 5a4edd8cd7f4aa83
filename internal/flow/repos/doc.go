// SPDX-License-Identifier: GPL-3.0-or-later

// Package repos has the stories of package repositories: their databases made,
// added to, taken from and signed, and handed out.
package repos

import "github.com/rastos/rastos/internal/flow"

// Repos are those that a machine keeps.
type Repos struct{ *flow.Machine }

// Of a machine.
func Of(m *flow.Machine) Repos { return Repos{m} }
