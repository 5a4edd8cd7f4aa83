// SPDX-License-Identifier: GPL-3.0-or-later

package aptget

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Source downloads the files of a source package and returns their paths. Most
// hosts name no sources: the repositories are the host's own, asked for their
// sources through lists in Dir. Repositories without any are passed over.
func (a *Apt) Source(ctx context.Context, name string) ([]string, error) {
	dest := filepath.Join(a.Dir, "source", name)
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return nil, fmt.Errorf("prepare apt's directory: %w", err)
	}
	if files, err := sourceFiles(dest); err == nil {
		return files, nil
	}
	if err := a.prepareSources(ctx); err != nil {
		return nil, err
	}
	if _, err := a.runIn(ctx, dest, "apt-get", append(a.sourceLists(), "--download-only", "source", name)...); err != nil {
		return nil, err
	}
	return sourceFiles(dest)
}

// sourceFiles is complete only with the description, which apt writes first
// and whose digests it has compared by the time it ends.
func sourceFiles(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.tar.*"))
	if err != nil {
		return nil, err
	}
	if descs, _ := filepath.Glob(filepath.Join(dir, "*.dsc")); len(descs) != 1 || len(files) < 2 {
		return nil, fs.ErrNotExist
	}
	return files, nil
}

func (a *Apt) sourceLists() []string {
	dir, err := filepath.Abs(a.Dir)
	if err != nil {
		dir = a.Dir
	}
	return []string{"-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Dir::Etc::sourceparts=" + dir + "/sources"}
}

// prepareSources writes the host's lists anew, with sources in the place of
// packages, and fetches their indexes.
func (a *Apt) prepareSources(ctx context.Context) error {
	for _, dir := range []string{"lists/partial", "archives/partial", "cache", "sources"} {
		if err := os.MkdirAll(filepath.Join(a.Dir, dir), 0o755); err != nil {
			return fmt.Errorf("prepare apt's directory: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(a.Dir, "status"), nil, 0o644); err != nil {
		return fmt.Errorf("prepare apt's directory: %w", err)
	}
	lists, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	written := 0
	for _, list := range append(lists, "/etc/apt/sources.list") {
		text, err := os.ReadFile(list)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the host's sources: %w", err)
		}
		name := filepath.Join(a.Dir, "sources", filepath.Base(list))
		if err := os.WriteFile(name, []byte(sourcesOf(string(text))), 0o644); err != nil {
			return fmt.Errorf("write lists of sources: %w", err)
		}
		written++
	}
	if written == 0 {
		return errors.New("the host has no list of Debian repositories (/etc/apt)")
	}
	// A repository that has no sources fails; the package is found all the same.
	_, err := a.run(ctx, "apt-get", append(a.sourceLists(), "update")...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

var (
	debLine   = regexp.MustCompile(`(?m)^deb[ \t]`)
	srcLine   = regexp.MustCompile(`(?m)^deb-src[ \t].*\n?`)
	typesLine = regexp.MustCompile(`(?m)^Types:.*$`)
)

// sourcesOf turns a list of either form into one of sources only.
func sourcesOf(list string) string {
	list = srcLine.ReplaceAllString(list, "")
	list = debLine.ReplaceAllStringFunc(list, func(s string) string { return "deb-src" + strings.TrimPrefix(s, "deb") })
	return typesLine.ReplaceAllString(list, "Types: deb-src")
}
