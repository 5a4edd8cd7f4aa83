// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"

	"github.com/rastos/rastos/alpm/libalpm"
	"github.com/rastos/rastos/internal/host/run"
)

// helperName is the program that is linked with libalpm.
const helperName = "rastos-libalpm"

// libalpmEngine is the host's libalpm, by the helper that is installed beside
// this program, or else found as programs are.
func libalpmEngine(self string) libalpm.Engine {
	return libalpm.Engine{Start: func() (*libalpm.Pipe, error) {
		path := filepath.Join(filepath.Dir(self), helperName)
		if _, err := os.Stat(path); err != nil {
			path = helperName
		}
		c, err := run.Runner{}.Converse(path)
		if err != nil {
			return nil, err
		}
		return &libalpm.Pipe{In: c.In, Out: c.Out, Wait: c.Wait, Kill: c.Kill}, nil
	}}
}
