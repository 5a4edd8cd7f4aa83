// SPDX-License-Identifier: GPL-3.0-or-later

package conf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Files is where configuration files are.
type Files interface {
	ReadFile(name string) ([]byte, error)
	// Glob returns the names that match a shell pattern, sorted.
	Glob(pattern string) ([]string, error)
}

// OS is the files of the machine.
type OS struct{}

// ReadFile reads a file.
func (OS) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }

// Glob follows glob(3): a name that begins with a dot is matched only by a dot.
func (OS) Glob(pattern string) ([]string, error) {
	names, err := filepath.Glob(pattern)
	return slices.DeleteFunc(names, func(name string) bool { return hides(pattern, name) }), err
}

func hides(pattern, name string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(name, "/")
	for i := range min(len(want), len(have)) {
		if strings.HasPrefix(have[i], ".") && !strings.HasPrefix(strings.TrimPrefix(want[i], `\\`), ".") {
			return true
		}
	}
	return false
}
