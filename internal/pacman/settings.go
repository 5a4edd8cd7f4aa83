// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"bufio"
	"os"
	"slices"
	"strings"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/pacman/cmdline"
)

// targetsFromStdin reads targets from standard input where one of them is "-".
func (s *session) targetsFromStdin() bool {
	at := slices.Index(s.opt.Targets, "-")
	if at < 0 {
		return true
	}
	if s.StdinIsTerminal {
		s.errorf("argument '-' specified without input on stdin")
		return false
	}
	s.opt.Targets = slices.Delete(s.opt.Targets, at, at+1)
	found := false
	in := bufio.NewReader(s.Stdin)
	for {
		line, err := in.ReadString('\n')
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			s.opt.Targets = append(s.opt.Targets, line)
			found = true
		}
		if err != nil {
			break
		}
	}
	// Questions are asked at the terminal from here on.
	if tty, err := s.Terminal(); err != nil {
		s.errorf("failed to reopen stdin for reading: (%s)", reason(err))
	} else {
		s.Stdin = tty
	}
	if !found {
		s.errorf("argument '-' specified with empty stdin")
	}
	return found
}

// showSettings is what -v prints before the operation.
func (s *session) showSettings() {
	c := s.conf
	s.printf("Root      : %s\n", c.RootDir)
	s.printf("Conf File : %s\n", c.File)
	s.printf("DB Path   : %s\n", c.DBPath)
	s.print("Cache Dirs: ")
	for _, dir := range c.CacheDirs {
		s.print(dir, "  ")
	}
	s.print("\nHook Dirs : ", c.RootDir, flow.SystemHooks, "/  ")
	for _, dir := range c.HookDirs {
		s.print(dir, "  ")
	}
	s.printf("\nLock File : %s\n", c.lockFile())
	s.printf("Log File  : %s\n", c.LogFile)
	s.printf("GPG Dir   : %s\n", c.GPGDir)
	list := s.page()
	list.Columns = 0
	list.List("Targets   :", s.opt.Targets)
}

// Who writes a line of the log.
const (
	byPacman = "PACMAN"
	byEngine = "ALPM"
)

// logCommand notes the command in the log.
func (s *session) logCommand(args []string) {
	args = append(args[:1:1], cmdline.Permuted(args[1:])...)
	s.log(byPacman, "Running '"+strings.Join(args, " ")+"'")
}

// log appends a line to pacman's log. A log that cannot be written stops
// nothing, as with pacman.
func (s *session) log(who, text string) {
	f, err := os.OpenFile(s.conf.LogFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString(s.Now().Format("[2006-01-02T15:04:05-0700] ") + "[" + who + "] " + text + "\n")
}
