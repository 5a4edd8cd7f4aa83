// SPDX-License-Identifier: GPL-3.0-or-later

package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/internal/mistake"
	"github.com/rastos/rastos/internal/schema"
)

// DefaultName is the manifest's file name in a project; SystemPath is where a
// machine keeps its own.
const (
	DefaultName = "rastos.toml"
	SystemPath  = "/etc/rastos/rastos.toml"
)

// table is the table of keys of a manifest.
func table() *schema.Schema {
	return schema.Of(Manifest{}, schema.Options{
		Title:       "rastos.toml",
		Description: "The manifest of a rastOS machine: what it is made of.",
		Formats:     formats(),
	})
}

// Schema returns the JSON schema (draft 2020-12) of the manifest.
func Schema() []byte { return table().JSON() }

// Reference returns the reference of all keys, in Markdown.
func Reference() string { return table().Markdown() }

// Load reads a manifest, resolves its paths and fills in defaults. Mistakes in
// the file are a mistake.List.
func Load(path string) (*Manifest, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("resolve paths of manifest %s: %w", path, err)
	}
	return m.Resolve(dir).WithDefaults(), nil
}

// Parse reads a manifest as written. name is what messages call it. The error
// is a mistake.List with every mistake, in the order of the file; what is
// not mistaken is in the Manifest even then.
func Parse(name string, data []byte) (*Manifest, error) {
	m := &Manifest{}
	doc, wrong := table().Decode(name, data, m)
	sum := sha256.Sum256(data)
	m.SHA256 = hex.EncodeToString(sum[:])
	r := rules{m: m, doc: doc}
	r.check()
	return m, mistake.Merge(wrong, r.wrong).Err()
}

// ReadFile reads the bytes of a manifest, within the size that Parse accepts.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &fileError{path, err}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, schema.MaxSize+1))
	if err != nil {
		return nil, &fileError{path, err}
	}
	return data, nil
}

// fileError is a manifest that cannot be read.
type fileError struct {
	path string
	err  error
}

func (e *fileError) Error() string {
	var pe *fs.PathError
	if errors.As(e.err, &pe) {
		return fmt.Sprintf("read manifest %s: %v", e.path, pe.Err)
	}
	return fmt.Sprintf("read manifest %s: %v", e.path, e.err)
}

func (e *fileError) Unwrap() error { return e.err }

func (e *fileError) ExitCode() int {
	if errors.Is(e.err, fs.ErrPermission) {
		return 8
	}
	return 3
}

func (e *fileError) Hint() string {
	if errors.Is(e.err, fs.ErrNotExist) {
		return "name the manifest: rastos looks for " + DefaultName + " in the current directory"
	}
	return ""
}
