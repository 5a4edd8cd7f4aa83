// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the expected output into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rastos": main})
}

// TestScripts runs the command line as people do: the real main, in a process
// of its own. One script a verb, beside the verbs.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../internal/cli/testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("RASTOS_CONFIG", env.WorkDir+"/config.toml")
			return nil
		},
	})
}
