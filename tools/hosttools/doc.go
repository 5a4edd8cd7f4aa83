// SPDX-License-Identifier: GPL-3.0-or-later

// Package hosttools holds host-tools.sh, which installs the host programs that
// tests, benchmarks and demo run. It is a shell script because it must work
// before anything is built; the Go in here only tests it.
package hosttools
