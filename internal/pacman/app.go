// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"bufio"
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/pacman/cmdline"
	"github.com/rastos/rastos/internal/pacman/show"
)

// App is what the command line gets from the process that it runs in.
type App struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// StdinIsTerminal and StdoutIsTerminal decide on questions, colour and bars.
	StdinIsTerminal, StdoutIsTerminal bool
	// Columns is the width of the terminal, 0 where there is none.
	Columns func() int
	// Terminal opens the terminal that questions are read from after standard
	// input has given the targets.
	Terminal func() (io.Reader, error)
	// Getenv reads the environment, Getwd the working directory.
	Getenv func(string) string
	Getwd  func() (string, error)
	// Now is the clock.
	Now func() time.Time
	// Processor is what uname -m says.
	Processor string
	// EnterRoot goes into a system tree for good, as chroot(2) does.
	EnterRoot func(root string) error
	// RunProgram runs a program in a directory, with this process's streams.
	RunProgram func(ctx context.Context, dir string, argv []string) (exit int, err error)
	// Machine holds the effects that transactions need.
	Machine *flow.Machine
}

// Main runs one command line, the program's name first, and returns the exit
// code.
func Main(ctx context.Context, app *App, args []string) int {
	s := &session{App: app, name: filepath.Base(args[0]), out: bufio.NewWriterSize(app.Stdout, 64<<10)}
	s.paint(false)
	defer s.out.Flush()
	switch s.name {
	case "vercmp":
		return s.vercmp(args[1:])
	case "pacman-conf":
		return s.pacmanConf(args[1:])
	}
	return s.run(ctx, args)
}

// Personality tells whether a program's name is one that Main answers to.
func Personality(name string) bool {
	switch filepath.Base(name) {
	case "pacman", "vercmp", "pacman-conf":
		return true
	}
	return false
}

// session is one run of the command line.
type session struct {
	*App
	name string
	opt  *cmdline.Options
	conf *Config
	out  *bufio.Writer
	tint show.Tint
	// opened are the repositories whose databases were asked.
	opened  repos
	fetcher *fetch.Fetcher
	// mute leaves out warnings.
	mute bool
}

// run is one command of pacman.
func (s *session) run(ctx context.Context, args []string) int {
	opt, ok := s.parseOptions(args)
	if !ok {
		return 1
	}
	s.opt = opt
	switch {
	case opt.Help:
		s.usage()
		return 0
	case opt.Version:
		s.version()
		return 0
	}
	if s.Machine.Geteuid() != 0 && opt.NeedsRoot() {
		s.errorf("you cannot perform this operation unless you are root.")
		return 1
	}
	if !s.targetsFromStdin() {
		return 1
	}
	if opt.SysRoot != "" {
		if err := s.EnterRoot(opt.SysRoot); err != nil {
			s.errorf("chroot to '%s' failed: (%s)", opt.SysRoot, reason(err))
			return 1
		}
	}
	if code := s.loadConfig(); code != 0 {
		return code
	}
	// What only prints its targets says nothing but errors, and asks nothing.
	s.mute = opt.Print && opt.Clean == 0
	opt.NoConfirm = opt.NoConfirm || s.mute
	if opt.Verbose > 0 {
		s.showSettings()
	}
	if opt.NeedsRoot() {
		s.logCommand(args)
	}
	code := s.operation(ctx)
	for _, r := range s.opened {
		if err := r.DB.Err(); err != nil && code == 0 {
			s.errorf("%v", err)
			code = 1
		}
	}
	return code
}

// parseOptions reads the command line; ok is false when it was wrong, and
// that was said.
func (s *session) parseOptions(args []string) (o *cmdline.Options, ok bool) {
	o, err := cmdline.Parse(args[1:])
	if o != nil {
		s.setColor(o.Color)
	}
	var wrong cmdline.Mistakes
	switch {
	case errors.As(err, &wrong):
		for _, line := range wrong {
			s.errorf("%s", line)
		}
	case err != nil:
		s.stderr("%s: %v\n", args[0], err)
	}
	return o, err == nil
}

// setColor does what --color says.
func (s *session) setColor(when string) {
	switch when {
	case "never":
		s.paint(false)
	case "auto":
		s.paint(s.StdoutIsTerminal)
	case "always":
		s.paint(true)
	}
}

func (s *session) operation(ctx context.Context) int {
	switch s.opt.Op {
	case cmdline.OpNone:
		s.errorf("no operation specified (use -h for help)")
		return 1
	case cmdline.OpDeptest:
		return s.deptest()
	case cmdline.OpQuery:
		return s.query(ctx)
	case cmdline.OpDatabase:
		return s.database(ctx)
	case cmdline.OpFiles:
		return s.fileQuery(ctx)
	case cmdline.OpSync:
		return s.sync(ctx)
	case cmdline.OpUpgrade:
		return s.upgrade(ctx)
	case cmdline.OpRemove:
		return s.remove(ctx)
	}
	s.errorf("operation not supported")
	return 1
}
