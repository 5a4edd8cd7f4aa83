// SPDX-License-Identifier: GPL-3.0-or-later

package services

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/rinit"
)

// Files says which service files a story is about.
type Files struct {
	Paths []string // files and folders of them; none: the folders of the system
	Root  string   // where those are; "": this machine
	Stdin io.Reader
}

// systemFolders are where a system has its service files; those of the first
// are above those of the same name in the second.
var systemFolders = []string{"etc/rinit/system", "usr/share/rinit/system"}

// source is a service file that was not looked into yet.
type source struct {
	path string
	data []byte
}

// ext is what kind of service file it is: services of the system and of users are
// no part of one graph.
func (t source) ext() string { return path.Ext(t.path) }

// texts reads the files. whole is true where folders were asked for: then what is
// not among them does not exist.
func (s Services) texts(r Files) (texts []source, whole bool, err error) {
	if len(r.Paths) == 0 {
		texts, err = s.folderTexts(r.Root, systemFolders)
		if err == nil && texts == nil {
			err = report.WithHint(fmt.Errorf("%s has no services of rinit: there is neither /%s nor /%s", rootName(r.Root), systemFolders[0], systemFolders[1]),
				"name the files or folders that are meant")
		}
		return texts, true, err
	}
	inFolder := map[string]bool{}
	for _, p := range r.Paths {
		info, err := os.Stat(p)
		switch {
		case p == "-":
			data, err := io.ReadAll(io.LimitReader(r.Stdin, rinit.MaxSize+1))
			if err != nil {
				return nil, false, fmt.Errorf("read a service from standard input: %w", err)
			}
			texts = append(texts, source{"<stdin>", data})
		case err != nil:
			return nil, false, fmt.Errorf("read service files: %w", err)
		case info.IsDir():
			whole = true
			found, err := folderTexts(os.DirFS(p).(folderFS), ".", p, inFolder)
			if err != nil {
				return nil, false, err
			}
			texts = append(texts, found...)
		default:
			data, err := readAtMost(p, rinit.MaxSize)
			if err != nil {
				return nil, false, fmt.Errorf("read service file: %w", err)
			}
			texts = append(texts, source{p, data})
		}
	}
	return texts, whole, nil
}

// readAtMost reads a file up to one byte more than most.
func readAtMost(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

func rootName(root string) string {
	if root == "" {
		return "/"
	}
	return root
}

// folderTexts reads the files in folders of a system; nil, if there is none of
// them. What is in an earlier one is above what is in a later one.
func (s Services) folderTexts(root string, folders []string) ([]source, error) {
	root = rootName(root)
	tree, err := s.Tree(root)
	if err != nil {
		return nil, fmt.Errorf("look for services in %s: %w", root, err)
	}
	defer tree.Close()
	var all []source
	seen := map[string]bool{}
	for _, dir := range folders {
		found, err := folderTexts(tree, dir, filepath.Join(root, dir), seen)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = slices.Concat([]source{}, all, found)
	}
	return all, nil
}

// folderFS is what is needed of a tree to read a folder of services.
type folderFS interface {
	ReadDir(name string) ([]fs.DirEntry, error)
	ReadFile(name string) ([]byte, error)
}

// folderTexts reads the service files of a folder, but for those whose names an
// earlier one had.
func folderTexts(tree folderFS, dir, label string, seen map[string]bool) ([]source, error) {
	entries, err := tree.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the services in %s: %w", label, err)
	}
	var texts []source
	for _, e := range entries {
		if _, ok := rinit.NameOf(e.Name()); !ok || e.IsDir() || seen[e.Name()] {
			continue
		}
		seen[e.Name()] = true
		data, err := tree.ReadFile(path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read service file: %w", err)
		}
		texts = append(texts, source{filepath.Join(label, e.Name()), data})
	}
	return texts, nil
}

// Checked is what is to be said of service files.
type Checked struct {
	Files    []string       `json:"files"`
	Mistakes rinit.Mistakes `json:"mistakes"`
	Warnings rinit.Mistakes `json:"warnings"`
}

// Check finds every mistake in service files, and between them.
func (s Services) Check(r Files) (Checked, error) {
	check, _, err := s.link(r)
	return check, err
}

// link reads service files and puts them together, by their endings. Where
// something is wrong, there is no graph.
func (s Services) link(r Files) (Checked, map[string]*rinit.Graph, error) {
	texts, whole, err := s.texts(r)
	if err != nil {
		return Checked{}, nil, err
	}
	check, graphs := linkTexts(texts, whole)
	return check, graphs, nil
}

// linkTexts puts service files together, by their endings.
func linkTexts(texts []source, whole bool) (Checked, map[string]*rinit.Graph) {
	check := Checked{Files: []string{}}
	files := map[string][]*rinit.File{}
	for _, t := range texts {
		f, err := rinit.Decode(t.path, t.data)
		var wrong rinit.Mistakes
		errors.As(err, &wrong)
		check.Files = append(check.Files, t.path)
		check.Mistakes = append(check.Mistakes, wrong...)
		check.Warnings = append(check.Warnings, f.Warnings...)
		if f.Service.Name != "" { // even with mistakes, others may name it
			files[t.ext()] = append(files[t.ext()], f)
		}
	}
	graphs := map[string]*rinit.Graph{}
	for ext, of := range files {
		g, err := rinit.Link(of, !whole)
		var wrong rinit.Mistakes
		errors.As(err, &wrong)
		check.Mistakes = append(check.Mistakes, wrong...)
		graphs[ext] = g
	}
	check.Mistakes, check.Warnings = check.Mistakes.Sorted(), check.Warnings.Sorted()
	if len(check.Mistakes) > 0 {
		return check, nil
	}
	return check, graphs
}

// Formatted is one file beside its form.
type Formatted struct {
	File    string `json:"file"`
	Changed bool   `json:"changed"` // it was not in the form
	Written bool   `json:"written"` // and is now
	Text    []byte `json:"-"`
}

// Format brings service files into the one form, and writes them back
// where write is true. Where one has a mistake, none is written.
func (s Services) Format(r Files, write bool) ([]Formatted, error) {
	texts, _, err := s.texts(r)
	if err != nil {
		return nil, err
	}
	formats := []Formatted{}
	var wrong rinit.Mistakes
	for _, t := range texts {
		f, err := rinit.Decode(t.path, t.data)
		var found rinit.Mistakes
		if errors.As(err, &found) {
			wrong = append(wrong, found...)
			continue
		}
		text := f.Format()
		formats = append(formats, Formatted{File: t.path, Changed: string(text) != string(t.data), Text: text})
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	for i, f := range formats {
		if !write || !f.Changed {
			continue
		}
		if err := rewrite(f.File, f.Text); err != nil {
			return nil, fmt.Errorf("format %s: %w", f.File, err)
		}
		formats[i].Written = true
	}
	return formats, nil
}

// rewrite replaces what a file holds, also behind a link.
func rewrite(name string, data []byte) error {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	return flow.ReplaceFile(name, data, info.Mode().Perm())
}
