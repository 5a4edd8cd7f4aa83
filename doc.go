// SPDX-License-Identifier: GPL-3.0-or-later

// Package rastos holds no code: it is where the law of the house is tested.
// rules_test.go reads every Go file of the module and checks who may import
// whom, what may be called where, and how files are written, each rule with
// its reason. ARCHITECTURE.md shows the house.
package rastos
