// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !libalpm

package main

import (
	"fmt"
	"os"
)

// exitHost is the class "the host lacks something".
const exitHost = 9

// main is all there is where the build tag is missing: go build ./... is not
// to need the library's headers.
func main() {
	fmt.Fprintln(os.Stderr, "rastos-libalpm: this program was built without libalpm; build it with: make libalpm")
	os.Exit(exitHost)
}
