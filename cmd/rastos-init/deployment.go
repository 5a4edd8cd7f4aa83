// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// deployDir is the folder of a deployment below the top level.
func deployDir(number int) string { return path.Join("@rastos/deploy", strconv.Itoa(number)) }

// deployment is what the initramfs needs of deploy.json. The room that writes
// it is internal/deploy; its keys are a format on disk.
type deployment struct {
	Etc   string `json:"etc"`
	From  int    `json:"from"`
	State string `json:"state"`
	Tried bool   `json:"tried"`
}

// readDeployment reads the record of a deployment; top is the file system's top
// level.
func readDeployment(top fs.FS, number int) (deployment, error) {
	var d deployment
	file := path.Join(deployDir(number), "deploy.json")
	data, err := fs.ReadFile(top, file)
	if errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("deployment %d is not on this file system: there is no %s", number, file)
	}
	if err != nil {
		return d, fmt.Errorf("deployment %d: %w", number, err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("deployment %d: %s: %w", number, file, err)
	}
	k, ok := strings.CutPrefix(d.Etc, "etc.")
	if _, err := strconv.ParseUint(k, 10, 32); err != nil || !ok {
		return d, fmt.Errorf("deployment %d: %s names %q as its /etc", number, file, d.Etc)
	}
	st, err := fs.Stat(top, path.Join(deployDir(number), d.Etc))
	if err != nil || !st.IsDir() {
		return d, fmt.Errorf("deployment %d: its /etc, %s, is not there", number, path.Join(deployDir(number), d.Etc))
	}
	return d, nil
}

// mustFold says whether changes of the /etc that ran before may have come after
// this one was merged from it. What is carried over, and whether there is
// anything, is the node's own rastos to say.
func (d deployment) mustFold() bool { return d.From != 0 && d.State == "armed" && !d.Tried }
