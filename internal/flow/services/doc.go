// SPDX-License-Identifier: GPL-3.0-or-later

// Package services has the stories of services in rinit's format: their files
// checked, formatted and drawn, switched on and off, and their manager run and
// asked.
package services

import "github.com/rastos/rastos/internal/flow"

// Services are those of a machine.
type Services struct{ *flow.Machine }

// Of a machine.
func Of(m *flow.Machine) Services { return Services{m} }
