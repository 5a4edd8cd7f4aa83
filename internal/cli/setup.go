// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"log/slog"

	"github.com/rastos/rastos/internal/config"
	"github.com/rastos/rastos/internal/report"
)

// setUp runs before every verb, when the flags are known: it loads the
// settings and opens the log.
func (s *session) setUp() error {
	cfg, err := config.Load(config.Flags{
		File:      s.flags.config,
		LogLevel:  s.flags.logLevel,
		LogFormat: s.flags.logFormat,
		Color:     s.flags.color,
	}, s.Getenv)
	if err != nil {
		return err
	}
	s.config = cfg
	s.log = s.newLog()
	s.log.Debug("settings loaded", "log_level", cfg.LogLevel, "cache", cfg.CacheDir, "work", cfg.WorkDir)
	return nil
}

// newLog opens the structured log on standard error, apart from the output.
func (s *session) newLog() *slog.Logger {
	options := &slog.HandlerOptions{Level: s.logLevel()}
	if s.config.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(logWriter{s}, options))
	}
	return slog.New(slog.NewTextHandler(logWriter{s}, options))
}

// logWriter writes to standard error, through the bars while there are any.
type logWriter struct{ s *session }

func (w logWriter) Write(p []byte) (int, error) {
	if t, ok := w.s.renderer.(*report.Terminal); ok {
		return t.Write(p)
	}
	return w.s.err.Write(p)
}

// logLevel is what the settings say; -v asks for at least information, -vv
// for everything.
func (s *session) logLevel() slog.Level {
	var level slog.Level
	// The settings were checked: the word is a level.
	_ = level.UnmarshalText([]byte(s.config.LogLevel))
	switch {
	case s.flags.verbose >= 2:
		return min(level, slog.LevelDebug)
	case s.flags.verbose == 1:
		return min(level, slog.LevelInfo)
	}
	return level
}
