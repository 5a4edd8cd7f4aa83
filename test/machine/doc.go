// SPDX-License-Identifier: GPL-3.0-or-later

// Package machine holds the tests of whole machines: built from a manifest by
// the command line, booted through the firmware, upgraded, broken, fallen back,
// rolled back.
package machine
