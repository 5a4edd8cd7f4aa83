// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/rastos/rastos/internal/config"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

// App is what the command line gets from the process that it runs in: main
// fills it with the real thing, tests with their own.
type App struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// StdoutIsTerminal and StderrIsTerminal decide on colour and bars.
	StdoutIsTerminal, StderrIsTerminal bool
	// Getenv reads the environment.
	Getenv func(string) string
	// Now is the clock.
	Now func() time.Time
	// StdinIsTerminal tells whether somebody can be asked.
	StdinIsTerminal bool
	// Machine holds the stories and the machine that they act on.
	Machine *flow.Machine
	// Apart runs the command line again where what it mounts is seen by nobody
	// else and goes with it; ran is false where the caller is that process.
	// nil: it goes on where it is.
	Apart func() (code int, ran bool, err error)
	// Pacman runs pacman's own command line and returns its exit code.
	Pacman func(ctx context.Context, args []string) int
	// Version is what this build calls itself.
	Version string
}

// Main runs one command line (without the program's name) and returns the
// exit code; docs/exit-codes.md lists them. It prints the error, if any.
func Main(ctx context.Context, app *App, args []string) int {
	s := newSession(ctx, app)
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if closeErr := s.close(); err == nil {
		err = closeErr
	}
	return s.finish(ctx, err)
}

// defaultConfig is what holds until the settings are loaded.
func defaultConfig() *config.Config { return &config.Config{Color: "auto"} }

// session is one run of the command line: App and what the global flags say.
type session struct {
	App
	flags    globalFlags
	config   *config.Config
	log      *slog.Logger
	renderer report.Renderer
	// out and err are the bare streams; Stdout and Stderr of App pause the
	// bars before they write.
	out, err io.Writer
	// interrupted is closed when a signal has come.
	interrupted <-chan struct{}
}

func newSession(ctx context.Context, app *App) *session {
	s := &session{
		App: *app, config: defaultConfig(), log: slog.New(slog.DiscardHandler),
		out: app.Stdout, err: app.Stderr, interrupted: ctx.Done(),
	}
	s.Stdout, s.Stderr = pausing{s, app.Stdout}, pausing{s, app.Stderr}
	return s
}

// pausing is a stream that takes the bars away before it is written to.
type pausing struct {
	s *session
	w io.Writer
}

func (p pausing) Write(b []byte) (int, error) {
	if t, ok := p.s.renderer.(*report.Terminal); ok {
		t.Pause()
	}
	return p.w.Write(b)
}

// sink returns where the running verb emits its events. It is made on first
// use, so that verbs that only print a table draw nothing else.
func (s *session) sink() report.Sink {
	if s.renderer != nil {
		return s.renderer
	}
	switch {
	case s.flags.json:
		s.renderer = report.New(report.FormatJSON, s.out, report.Style{}, s.Now)
	case s.StderrIsTerminal && s.Getenv("TERM") != "dumb":
		s.renderer = report.New(report.FormatTerminal, s.err, s.errStyle(), s.Now)
	default:
		s.renderer = report.New(report.FormatPlain, s.err, s.errStyle(), s.Now)
	}
	return s.renderer
}

func (s *session) close() error {
	if s.renderer == nil {
		return nil
	}
	return s.renderer.Close()
}

// apart runs a verb that mounts in a process whose mounts nobody else sees.
func (s *session) apart(verb func() error) error {
	if s.Apart == nil {
		return verb()
	}
	code, ran, err := s.Apart()
	switch {
	case err != nil:
		return err
	case ran && code != 0:
		return &silentError{code}
	case ran:
		return nil
	}
	return verb()
}

// outStyle is the style of what goes to standard output.
func (s *session) outStyle() report.Style { return s.style(s.StdoutIsTerminal) }

// errStyle is the style of what goes to standard error.
func (s *session) errStyle() report.Style { return s.style(s.StderrIsTerminal) }

func (s *session) style(terminal bool) report.Style {
	switch s.config.Color {
	case "always":
		return report.Style{Color: true}
	case "never":
		return report.Style{}
	}
	return report.Style{Color: terminal && s.Getenv("NO_COLOR") == "" && s.Getenv("TERM") != "dumb"}
}
