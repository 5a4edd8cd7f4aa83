// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/pacman/show"
)

// packageFile is a package that -p names.
type packageFile struct {
	*desc.Package
	path      string
	script    bool
	changelog []byte
}

// loadFile reads a package file; nil, and said, if that cannot be done.
func (q *query) loadFile(path string) *packageFile {
	f := &packageFile{path: path}
	var err error
	if f.Package, err = pkgfile.LoadInfo(path); err == nil {
		err = f.loadMeta()
	}
	if err != nil {
		q.errorf("could not load package '%s': %s", path, q.loadError(path, err))
		return nil
	}
	return f
}

// loadError classes what is wrong with a package file as pacman does, which
// tells some of it beforehand.
func (s *session) loadError(path string, err error) string {
	var gone *fs.PathError
	switch {
	case errors.As(err, &gone), path == "":
		return whyNotFound
	case s.unreadable(path, err):
		return whyOpen
	}
	return whyInvalid
}

// unreadable says of what is no archive, and of an archive that is no package,
// what it is. It tells whether the file could not be opened as one at all.
func (s *session) unreadable(path string, err error) bool {
	switch {
	case errors.Is(err, pkgfile.ErrNoInfo):
		s.errorf("missing package metadata in %s", path)
		return false
	case errors.Is(err, pkgfile.ErrFormat):
		s.errorf("could not open file %s: %s", path, "Unrecognized archive format")
	case errors.Is(err, trans.ErrNotFile):
		s.errorf("could not open file %s: %v", path, trans.ErrNotFile)
	default:
		return false
	}
	return true
}

// loadMeta reads what the archive has before its files.
func (f *packageFile) loadMeta() error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := pkgfile.NewReader(file, pkgfile.Limits{})
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var into *[]byte
		switch name := strings.TrimPrefix(h.Name, "./"); {
		case name == ".INSTALL":
			f.script = true
		case name == ".CHANGELOG":
			into = &f.changelog
		case !strings.HasPrefix(name, "."):
			return nil
		}
		if into != nil {
			if *into, err = pkgfile.ReadMeta(r, h); err != nil {
				return err
			}
		}
	}
}

// signatures says what there is to say of the signature beside a file.
func (q *query) signatures(f *packageFile) []string {
	sig, err := os.ReadFile(f.path + ".sig")
	if err != nil {
		return nil
	}
	ring, err := flow.ConfRing(&q.conf.Config)
	if err == nil && ring == nil {
		err = &keyring.Error{Reason: keyring.NoKeyring}
	}
	if err != nil {
		return []string{err.Error()}
	}
	file, err := os.Open(f.path)
	if err != nil {
		return []string{err.Error()}
	}
	defer file.Close()
	verdict, err := ring.Verify(file, sig, keyring.Level{Trust: keyring.TrustAll})
	var bad *keyring.Error
	switch {
	case errors.As(err, &bad) && bad.Reason == keyring.Malformed:
		q.errorf(gpgNoData)
		return []string{"gpgme error"}
	case errors.As(err, &bad):
		return []string{badSignature(bad)}
	case err != nil:
		return []string{err.Error()}
	}
	var lines []string
	for _, v := range verdict.Signatures {
		status := "Valid"
		if v.KeyExpired {
			status = "Key expired"
		}
		trust := v.Validity
		if trust == keyring.Undefined.String() {
			trust = "unknown"
		}
		lines = append(lines, fmt.Sprintf("%s, %s trust from \"%s\"", status, trust, v.User))
	}
	return lines
}

func badSignature(e *keyring.Error) string {
	who := e.User
	if who == "" {
		who = e.Key
	}
	status := map[keyring.Reason]string{
		keyring.Unknown: "Key unknown", keyring.Bad: "Invalid", keyring.Expired: "Expired",
		keyring.Disabled: "Key disabled", keyring.Revoked: "Signature error",
	}[e.Reason]
	if status == "" || who == "" {
		return e.Error()
	}
	return fmt.Sprintf("%s, unknown trust from \"%s\"", status, who)
}

// backups tells which backup files of a package were changed.
func (q *query) backups(p *desc.Package) (list []show.Backup) {
	if err := q.local.LoadFiles(p); err != nil {
		q.errorf("%v", err)
		return nil
	}
	for _, b := range p.Backup {
		path := q.conf.RootDir + b.Path
		list = append(list, show.Backup{Status: backupStatus(path, b.MD5), Path: path})
	}
	return list
}

func backupStatus(path, sum string) string {
	now, err := fileMD5(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "UNREADABLE"
	case errors.Is(err, fs.ErrNotExist):
		return "MISSING"
	case err != nil:
		return "UNKNOWN"
	case now != sum:
		return "MODIFIED"
	}
	return "UNMODIFIED"
}

func fileMD5(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := md5.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
