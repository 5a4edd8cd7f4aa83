// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/tools/debrepo/aptget"
)

// sourcePackage is Debian's source package of pacman.
const sourcePackage = "pacman-package-manager"

// suite is pacman's test suite, unpacked.
type suite struct {
	dir     string
	version string          // "pacman 6.0.2"
	xfail   map[string]bool // cases in which pacman itself fails
}

// fetchSuite fetches pacman's source if the cache does not have it, and
// unpacks its tests.
func fetchSuite(ctx context.Context, cache string, log io.Writer) (*suite, error) {
	apt := &aptget.Apt{Dir: filepath.Join(cache, "apt-source"), Log: log}
	files, err := apt.Source(ctx, sourcePackage)
	if err != nil {
		return nil, fmt.Errorf("fetch pacman's source: %w", err)
	}
	original := regexp.MustCompile(`_([^_/]+)\.orig\.tar\.[a-z0-9]+$`)
	for _, f := range files {
		m := original.FindStringSubmatch(f)
		if m == nil {
			continue
		}
		s := &suite{version: "pacman " + m[1]}
		dir := filepath.Join(cache, "pactest-"+m[1])
		if s.dir, err = filepath.Abs(dir); err == nil {
			err = s.unpack(f)
		}
		return s, err
	}
	return nil, errors.New("fetch pacman's source: apt brought no original archive")
}

// unpack writes test/pacman of the archive to s.dir, which appears whole or
// not at all.
func (s *suite) unpack(archive string) error {
	if _, err := os.Stat(s.dir); errors.Is(err, os.ErrNotExist) {
		temp := s.dir + ".new"
		if err := os.RemoveAll(temp); err != nil {
			return err
		}
		if err := unpackTests(archive, temp); err != nil {
			return fmt.Errorf("unpack %s: %w", archive, err)
		}
		if err := os.Rename(temp, s.dir); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "meson.build"))
	if err != nil {
		return err
	}
	s.xfail = map[string]bool{}
	for _, m := range regexp.MustCompile(`'tests/([^']+)\.py'\s*:\s*true`).FindAllStringSubmatch(string(text), -1) {
		s.xfail[m[1]] = true
	}
	return nil
}

func unpackTests(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	plain, err := pkgfile.Decompress(f)
	if err != nil {
		return err
	}
	defer plain.Close()
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, below, _ := strings.Cut(path.Clean(h.Name), "/")
		name, ok := strings.CutPrefix(below, "test/pacman/")
		if !ok || h.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
			continue
		}
		if err := writeFile(filepath.Join(dir, name), r, h.FileInfo().Mode()); err != nil {
			return err
		}
	}
}

func writeFile(name string, r io.Reader, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode.Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// cases lists the files of the cases that match.
func (s *suite) cases(only *regexp.Regexp) ([]string, error) {
	all, err := filepath.Glob(filepath.Join(s.dir, "tests", "*.py"))
	if err != nil {
		return nil, err
	}
	var cases []string
	for _, c := range all {
		if only.MatchString(caseName(c)) {
			cases = append(cases, c)
		}
	}
	if len(cases) == 0 {
		return nil, errors.New("no case matches")
	}
	return cases, nil
}

func caseName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".py") }
