// SPDX-License-Identifier: GPL-3.0-or-later

// Package config is the tool's own settings: what rastos does on the machine
// it runs on, as opposed to the manifest, which says what a system is.
//
// A setting comes from a flag, else from the environment (RASTOS_ and the
// key in capitals; RASTOS_LOG is short for RASTOS_LOG_LEVEL), else from
// /etc/rastos/config.toml, else from the default. The file is strict, as the
// manifest is; the values of the environment go through the same checks.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rastos/rastos/internal/mistake"
	"github.com/rastos/rastos/internal/schema"
)

// Path is the settings file that is read when no other is named.
const Path = "/etc/rastos/config.toml"

// Config holds the settings.
type Config struct {
	LogLevel  string `toml:"log_level" enum:"debug|info|warn|error" default:"warn" doc:"Least severity that is logged."`
	LogFormat string `toml:"log_format" enum:"text|json" default:"text" doc:"How log lines are written."`
	Color     string `toml:"color" enum:"auto|always|never" default:"auto" doc:"Colour in output."`
	CacheDir  string `toml:"cache_dir" check:"abspath" default:"/var/cache/rastos" doc:"Where downloads are kept."`
	WorkDir   string `toml:"work_dir" check:"abspath" default:"/var/tmp" doc:"Where images are put together; it needs room for a whole system."`
	Accel     string `toml:"accel" enum:"auto|kvm|tcg" default:"auto" doc:"How virtual machines run; auto tries KVM by booting."`
	Parallel  int    `toml:"parallel" min:"1" max:"64" doc:"Downloads at once; by default 8."`
	Workers   int    `toml:"workers" min:"1" max:"256" doc:"Packages unpacked at once; by default the number of processors."`
}

// table is the table of keys.
func table() *schema.Schema {
	return schema.Of(Config{}, schema.Options{
		Title:       "config.toml",
		Description: "Settings of rastos itself.",
		Formats:     formats(),
	})
}

func formats() map[string]schema.Format {
	return map[string]schema.Format{"abspath": {
		Doc: "a path that starts with /", Pattern: "^/",
		Check: func(s string) error {
			if !filepath.IsAbs(s) || strings.ContainsRune(s, 0) {
				return errors.New("is not a full path")
			}
			return nil
		},
	}}
}

// Reference returns the reference of all keys, in Markdown.
func Reference() string { return table().Markdown() }

// Flags are the settings given on the command line; empty ones were not.
type Flags struct {
	File                       string
	LogLevel, LogFormat, Color string
}

// Load puts the settings together from flags, environment, file and defaults.
func Load(flags Flags, getenv func(string) string) (*Config, error) {
	c := &Config{}
	if err := c.file(flags.File, getenv); err != nil {
		return nil, err
	}
	if err := c.environment(getenv); err != nil {
		return nil, err
	}
	if err := c.flags(flags); err != nil {
		return nil, err
	}
	c.defaults()
	return c, nil
}

// file reads the settings file. Only the one at the usual place may be absent.
func (c *Config) file(name string, getenv func(string) string) error {
	if name == "" {
		name = getenv("RASTOS_CONFIG")
	}
	named := name != ""
	if !named {
		name = Path
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if err != nil {
		return &fileError{fmt.Errorf("read settings: %w", err)}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, schema.MaxSize+1))
	if err != nil {
		return &fileError{fmt.Errorf("read settings: %w", err)}
	}
	_, wrong := table().Decode(name, data, c)
	return wrong.Err()
}

// environment overlays RASTOS_<KEY>. The values are written as TOML and go
// through the same table, so that both accept the same.
func (c *Config) environment(getenv func(string) string) error {
	for _, key := range table().Keys() {
		name := "RASTOS_" + strings.ToUpper(key)
		value := getenv(name)
		if value == "" && key == "log_level" {
			name = "RASTOS_LOG"
			value = getenv(name)
		}
		if value == "" {
			continue
		}
		if err := c.overlay(key, value, "the environment variable "+name); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) flags(f Flags) error {
	for _, o := range []struct{ key, value, flag string }{
		{"log_level", f.LogLevel, "--log-level"},
		{"log_format", f.LogFormat, "--log-format"},
		{"color", f.Color, "--color"},
	} {
		if o.value == "" {
			continue
		}
		if err := c.overlay(o.key, o.value, "the flag "+o.flag); err != nil {
			return &flagError{err}
		}
	}
	return nil
}

// overlay sets one key from a value that is not in a file.
func (c *Config) overlay(key, value, origin string) error {
	if !utf8.ValidString(value) {
		return &valueError{origin: origin, mistake: mistake.Mistake{Message: fmt.Sprintf("%q is no text", value)}}
	}
	literal := value
	if _, err := strconv.Atoi(value); err != nil {
		literal = tomlString(value)
	}
	_, wrong := table().Decode(origin, []byte(key+" = "+literal+"\n"), c)
	if len(wrong) > 0 {
		return &valueError{origin: origin, mistake: wrong[0]}
	}
	return nil
}

// tomlString writes any text as a TOML string.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r < ' ' || r == '"' || r == '\\' || r == 0x7f {
			fmt.Fprintf(&b, `\u%04X`, r)
			continue
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}

func (c *Config) defaults() {
	or := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	or(&c.LogLevel, "warn")
	or(&c.LogFormat, "text")
	or(&c.Color, "auto")
	or(&c.CacheDir, "/var/cache/rastos")
	or(&c.WorkDir, "/var/tmp")
	or(&c.Accel, "auto")
	if c.Parallel == 0 {
		c.Parallel = 8
	}
	if c.Workers == 0 {
		c.Workers = runtime.NumCPU()
	}
}
