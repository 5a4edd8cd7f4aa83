// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// cmdline is what the kernel's command line asks of the initramfs.
type cmdline struct {
	root    string
	fstype  string
	flags   string // of rootflags=, with subvol=
	rw      bool
	deploy  int // 0: none, the node's own /etc stays
	init    string
	pause   bool // rastos.break
	timeout time.Duration

	// watchdog is how long the node's init may take to feed the watchdog; 0: none.
	watchdog time.Duration

	// restart is how long a failure stays on the screen before the reboot;
	// less than 0 means for ever (panic=0).
	restart time.Duration
}

const (
	defaultTimeout = 60 * time.Second
	defaultRestart = 5 * time.Second

	// As long as the node's systemd takes for its own (selfpkg's system.conf.d).
	defaultWatchdog = 3 * time.Minute
)

// parseCmdline reads the words that are ours and leaves all others to their
// owners. Of a word given twice the last one counts. What could be read is
// returned beside an error, since it says how to fail.
func parseCmdline(line string) (cmdline, error) {
	c := cmdline{fstype: "btrfs", timeout: defaultTimeout, restart: defaultRestart, watchdog: defaultWatchdog}
	var errs []error
	for _, word := range splitWords(line) {
		key, value, _ := strings.Cut(word, "=")
		if err := c.set(key, value); err != nil {
			errs = append(errs, fmt.Errorf("kernel command line: %s: %w", word, err))
		}
	}
	if c.root == "" {
		errs = append(errs, errors.New("kernel command line: there is no root="))
	}
	return c, errors.Join(errs...)
}

func (c *cmdline) set(key, value string) error {
	var err error
	switch key {
	case "root":
		c.root = value
	case "rootfstype":
		c.fstype = value
	case "rootflags":
		c.flags = value
	case "ro", "rw":
		c.rw = key == "rw"
	case "init":
		c.init = value
	case "rastos.break":
		c.pause = true
	case "rastos.deploy":
		c.deploy, err = number(value)
	case "rastos.timeout":
		var n int
		n, err = number(value)
		c.timeout = time.Duration(n) * time.Second
	case "rastos.watchdog":
		if value == "0" {
			c.watchdog = 0
			return nil
		}
		var n int
		n, err = number(value)
		c.watchdog = time.Duration(n) * time.Second
	case "panic":
		var n int
		if n, err = strconv.Atoi(value); err != nil {
			return nil // the kernel's word: it has told about it
		}
		c.restart = time.Duration(max(n, 0)) * time.Second
		if n == 0 {
			c.restart = -1
		}
	}
	return err
}

// number reads a positive number.
func number(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		return 0, errors.New("not a number from 1")
	}
	return n, nil
}

// splitWords splits as the kernel does: at spaces outside of double quotes,
// which are dropped.
func splitWords(line string) []string {
	var words []string
	var word strings.Builder
	quoted, any := false, false
	for _, r := range line + " " {
		switch {
		case r == '"':
			quoted = !quoted
			any = true
		case (r == ' ' || r == '\t' || r == '\n') && !quoted:
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
			any = true
		}
	}
	if any { // an open quote
		words = append(words, strings.TrimSuffix(word.String(), " "))
	}
	return words
}

// splitFlags takes the subvolume out of rootflags; what is left goes to every
// mount of the file system.
func splitFlags(flags string) (subvol, rest string) {
	var others []string
	for word := range strings.SplitSeq(flags, ",") {
		if name, ok := strings.CutPrefix(word, "subvol="); ok {
			subvol = name
			continue
		}
		// ro and rw are decided for each mount; an id of a subvolume would
		// contradict the path.
		if word != "" && word != "ro" && word != "rw" && !strings.HasPrefix(word, "subvolid=") {
			others = append(others, word)
		}
	}
	return subvol, strings.Join(others, ",")
}
