// SPDX-License-Identifier: GPL-3.0-or-later

// Package selfpkg makes the Arch package "rastos" of the binaries that run and
// of the units, rules and folders that a rastOS machine needs: what finishes a
// boot, carries /etc over at shutdown and answers the host of a virtual machine.
//
// `rastos image build` installs it where no repository of the manifest has a
// package "rastos". The package format is makepkg's (package alpm/pkgfile).
package selfpkg

import (
	"archive/tar"
	"bytes"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
)

// Name is the package's name.
const Name = "rastos"

//go:embed all:tree
var tree embed.FS

// Content is what the package is made of beside the embedded files.
type Content struct {
	Version string // of rastos, as the linker wrote it; made into a package version
	Tool    []byte // the binary rastos
	Init    []byte // the binary rastos-init
	Epoch   time.Time
}

// AgentFiles are the paths (below the root, no leading slash) without which
// no guest agent starts: a manifest with agent = false goes without them.
func AgentFiles() []string {
	return []string{"usr/lib/systemd/system/rastos-agent.service", "usr/lib/udev/rules.d/90-rastos-agent.rules"}
}

// Write writes the package to w.
func Write(w io.Writer, c Content) error {
	info := &desc.Package{
		Name: Name, Base: Name, Version: packageVersion(c.Version), Arch: "x86_64",
		Description: "Builds, runs and keeps alive a system that can always go back",
		URL:         "https://github.com/rastos/rastos",
		Licenses:    []string{"GPL-3.0-or-later"},
		Packager:    "rastos " + c.Version,
		BuildDate:   c.Epoch.Unix(),
		XData:       []string{"pkgtype=pkg"},
	}
	pw, err := pkgfile.NewWriter(w, info, pkgfile.WriterOptions{Epoch: c.Epoch, Fast: true})
	if err != nil {
		return err
	}
	if err := fill(pw, c); err != nil {
		pw.Abort()
		return err
	}
	return pw.Close()
}

func fill(pw *pkgfile.Writer, c Content) error {
	if err := add(pw, "usr/bin/rastos", 0o755, c.Tool); err != nil {
		return err
	}
	if err := add(pw, "usr/lib/rastos/rastos-init", 0o755, c.Init); err != nil {
		return err
	}
	return fs.WalkDir(tree, "tree", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := tree.ReadFile(path)
		if err != nil {
			return err
		}
		return add(pw, strings.TrimPrefix(path, "tree/"), 0o644, data)
	})
}

func add(pw *pkgfile.Writer, name string, mode int64, data []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(data))}
	return pw.Add(h, bytes.NewReader(data))
}

// packageVersion turns a build's version ("v1.2.0", "0.1.0-14-g1a2b3c4-dirty")
// into one that pacman accepts: no hyphen before the release number.
func packageVersion(v string) string {
	v = strings.TrimPrefix(v, "v")
	var out strings.Builder
	for _, r := range v {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '.', r == '+', r == '_':
			out.WriteRune(r)
		default:
			out.WriteRune('.')
		}
	}
	if out.Len() == 0 {
		return "0-1"
	}
	return fmt.Sprintf("%s-1", out.String())
}
