// SPDX-License-Identifier: GPL-3.0-or-later

// Package aptget asks the host's apt for Debian packages: which ones a list
// needs, and their files. The repositories and keys are those of the host; all
// state is in a directory of its own, so that nothing of the host is changed
// and what is installed there plays no part. Once everything has been
// downloaded, no network is needed.
package aptget

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/tools/debrepo/debian"
)

// Apt is the host's apt with a private state.
type Apt struct {
	Dir string    // lists, archives and apt's own files
	Log io.Writer // what apt says
}

// Deb is a downloaded package.
type Deb struct{ Name, Version, Arch, Path string }

// Fetch downloads the packages and all that they need, in the order of their
// names. Those excluded are taken for installed. It uses the package index of
// the last call unless refresh asks for a new one.
func (a *Apt) Fetch(ctx context.Context, packages, exclude []string, refresh bool) ([]Deb, error) {
	if err := a.prepare(ctx, refresh); err != nil {
		return nil, err
	}
	debs, err := a.fetch(ctx, packages, exclude)
	if err != nil && !refresh {
		// The archive moves on: files of an old index may be gone from it.
		if update := a.update(ctx); update != nil {
			return nil, errors.Join(err, update)
		}
		debs, err = a.fetch(ctx, packages, exclude)
	}
	return debs, err
}

func (a *Apt) fetch(ctx context.Context, packages, exclude []string) ([]Deb, error) {
	if err := a.pretend(ctx, exclude); err != nil {
		return nil, err
	}
	install := append([]string{"install"}, packages...)
	plan, err := a.run(ctx, "apt-get", append([]string{"--simulate"}, install...)...)
	if err != nil {
		return nil, err
	}
	debs := a.planned(plan)
	if len(debs) == 0 {
		return nil, errors.New("apt-get: nothing to install")
	}
	if complete(debs) {
		return debs, nil
	}
	if _, err := a.run(ctx, "apt-get", append([]string{"--yes", "--download-only"}, install...)...); err != nil {
		return nil, err
	}
	for _, d := range debs {
		if _, err := os.Stat(d.Path); err != nil {
			return nil, fmt.Errorf("apt-get downloaded no %s: %w", d.Name, err)
		}
	}
	return debs, nil
}

func complete(debs []Deb) bool {
	for _, d := range debs {
		if _, err := os.Stat(d.Path); err != nil {
			return false
		}
	}
	return true
}

// planned reads the lines "Inst name (version origin [arch]) […]".
func (a *Apt) planned(plan []byte) []Deb {
	var debs []Deb
	lines := bufio.NewScanner(bytes.NewReader(plan))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 4 || words[0] != "Inst" {
			continue
		}
		d := Deb{Name: words[1], Version: strings.TrimPrefix(words[2], "(")}
		for _, word := range words[3:] {
			if arch, ok := strings.CutPrefix(word, "["); ok {
				d.Arch, _, _ = strings.Cut(arch, "]")
				break
			}
		}
		d.Name, _, _ = strings.Cut(d.Name, ":")
		d.Path = filepath.Join(a.Dir, "archives",
			fmt.Sprintf("%s_%s_%s.deb", d.Name, strings.ReplaceAll(d.Version, ":", "%3a"), d.Arch))
		debs = append(debs, d)
	}
	slices.SortFunc(debs, func(x, y Deb) int { return strings.Compare(x.Name, y.Name) })
	return debs
}

// pretend writes a status file in which the excluded packages are installed,
// without any needs of their own.
func (a *Apt) pretend(ctx context.Context, exclude []string) error {
	var status bytes.Buffer
	if len(exclude) > 0 {
		known, err := a.run(ctx, "apt-cache", append([]string{"show", "--no-all-versions"}, exclude...)...)
		if err != nil {
			return err
		}
		all, err := debian.ReadParagraphs(bytes.NewReader(known))
		if err != nil {
			return fmt.Errorf("apt-cache show: %w", err)
		}
		for _, p := range all {
			fmt.Fprintf(&status, "Package: %s\nStatus: hold ok installed\nMaintainer: none\nDescription: left out\n", p["Package"])
			for _, field := range []string{"Version", "Architecture", "Multi-Arch", "Provides"} {
				if p[field] != "" {
					fmt.Fprintf(&status, "%s: %s\n", field, p[field])
				}
			}
			status.WriteByte('\n')
		}
	}
	return os.WriteFile(filepath.Join(a.Dir, "status"), status.Bytes(), 0o644)
}

func (a *Apt) prepare(ctx context.Context, refresh bool) error {
	for _, dir := range []string{"lists/partial", "archives/partial", "cache", "etc"} {
		if err := os.MkdirAll(filepath.Join(a.Dir, dir), 0o755); err != nil {
			return fmt.Errorf("prepare apt's directory: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(a.Dir, "status"), nil, 0o644); err != nil {
		return fmt.Errorf("prepare apt's directory: %w", err)
	}
	indexes, err := filepath.Glob(filepath.Join(a.Dir, "lists", "*_Packages*"))
	if err != nil {
		return err
	}
	if len(indexes) > 0 && !refresh {
		return nil
	}
	return a.update(ctx)
}

func (a *Apt) update(ctx context.Context) error {
	_, err := a.run(ctx, "apt-get", "--error-on=any", "update")
	return err
}

// run runs one of apt's programs and returns its output.
func (a *Apt) run(ctx context.Context, program string, args ...string) ([]byte, error) {
	return a.runIn(ctx, "", program, args...)
}

// runIn is run in a working directory.
func (a *Apt) runIn(ctx context.Context, workDir, program string, args ...string) ([]byte, error) {
	dir, err := filepath.Abs(a.Dir)
	if err != nil {
		return nil, err
	}
	options := []string{
		"Dir::State=" + dir,
		"Dir::State::lists=" + dir + "/lists",
		"Dir::State::status=" + dir + "/status",
		"Dir::Cache=" + dir + "/cache",
		"Dir::Cache::archives=" + dir + "/archives",
		"Dir::Etc::preferences=/dev/null", // pins of the host's own upgrades
		"Dir::Etc::preferencesparts=/dev/null",
		"APT::Install-Recommends=false",
		"APT::Sandbox::User=root", // the directory need not be open to user _apt
		"APT::Keep-Downloaded-Packages=true",
		"Debug::NoLocking=true",
		"Acquire::Retries=3",
		"Acquire::Languages=none",
		"Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false", // for software centres
		"Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false",
		"quiet=1",
	}
	argv := make([]string, 0, 2*len(options)+len(args))
	for _, option := range options {
		argv = append(argv, "-o", option)
	}
	cmd := exec.CommandContext(ctx, program, append(argv, args...)...)
	cmd.Env, cmd.Dir = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"), workDir
	var out, message bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(&message, a.Log)
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", program, args[0], err, strings.TrimSpace(message.String()))
	}
	return out.Bytes(), nil
}
