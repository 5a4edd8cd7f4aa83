// SPDX-License-Identifier: GPL-3.0-or-later

package lab

import (
	"archive/tar"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/repo"
)

// Hello is a version of the lab's little service: it writes its version to
// /run/hello and sleeps, and has a folder of its own in /var/lib. It can be broken
// in ways that an upgrade must survive.
type Hello struct {
	Version string
	Sick    bool // its health check fails
	Fatal   bool // its installation removes what the machine boots into: the kernel panics

	Files   map[string]string // more files, path to text; what begins with #! is a program
	Upgrade string            // shell commands of its post_upgrade
}

const helloUnit = `[Unit]
Description=Say hello
[Service]
ExecStart=/usr/bin/hello
[Install]
WantedBy=multi-user.target
`

// Publish builds a version of hello, signs it and adds it to the site repository.
func (l *Lab) Publish(ctx context.Context, h Hello) error {
	path := filepath.Join(l.site(), fmt.Sprintf("hello-%s-1-any.pkg.tar.zst", h.Version))
	if err := h.write(path); err != nil {
		return err
	}
	if err := l.sign(path); err != nil {
		return err
	}
	_, err := repo.Add(ctx, filepath.Join(l.site(), "site.db.tar.gz"), []string{path}, repo.Options{
		Sign: func(_ context.Context, path string) error { return l.sign(path) },
	})
	return err
}

// sign writes the detached signature of a file beside it.
func (l *Lab) sign(path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(path + ".sig")
	if err != nil {
		return err
	}
	defer out.Close()
	return l.signer.DetachSign(out, in)
}

func (h Hello) write(path string) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	opt := pkgfile.WriterOptions{Epoch: time.Unix(1700000000, 0), Fast: true}
	script := h.Upgrade
	if h.Fatal {
		script = "rm -f /usr/lib/systemd/systemd"
	}
	if script != "" {
		opt.Install = []byte("post_upgrade() {\n" + script + "\n}\n")
	}
	w, err := pkgfile.NewWriter(out, &desc.Package{
		Name: "hello", Base: "hello", Version: h.Version + "-1", Arch: "any",
		Description: "A little service", Packager: "lab", Depends: []string{"bash"},
		Backup: []desc.Backup{{Path: "etc/hello.conf"}},
	}, opt)
	if err != nil {
		return err
	}
	check := "exit 0"
	if h.Sick {
		check = "echo 'hello is sick' >&2; exit 1"
	}
	type file struct {
		name, text string
		mode       int64
	}
	files := []file{
		{"usr/bin/hello", "#!/bin/sh\necho " + h.Version + " > /run/hello\nexec sleep infinity\n", 0o755},
		{"usr/bin/hello-check", "#!/bin/sh\ngrep -q '^" + h.Version + "$' /run/hello || exit 2\n" + check + "\n", 0o755},
		{"usr/lib/systemd/system/hello.service", helloUnit, 0o644},
		{"var/lib/hello-" + h.Version + "/state", "begun\n", 0o644},
		{"etc/hello.conf", "greeting=hello\n# the version is the package's\nversion=" + h.Version + "\n", 0o644},
	}
	for _, name := range slices.Sorted(maps.Keys(h.Files)) {
		mode := int64(0o644)
		if strings.HasPrefix(h.Files[name], "#!") {
			mode = 0o755
		}
		files = append(files, file{name, h.Files[name], mode})
	}
	for _, f := range files {
		hdr := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.text))}
		if err := w.Add(hdr, strings.NewReader(f.text)); err != nil {
			w.Abort()
			return err
		}
	}
	return w.Close()
}
