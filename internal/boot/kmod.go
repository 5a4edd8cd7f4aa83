// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"

	"github.com/rastos/rastos/internal/boot/modlist"
)

// maxModule bounds what a compressed module may unpack to.
const maxModule = 256 << 20

// kmodTree is lib/modules/<release> of a node.
type kmodTree struct {
	files   fs.FS
	paths   map[string]string // name → path of the file
	builtin map[string]bool
	// assumeBuiltin: without modules.builtin (a kernel built by hand, or no
	// modules at all) what is not there may as well be inside the kernel.
	assumeBuiltin bool
}

// overrides orders the folders where one module may lie twice; what depmod
// prefers comes first.
var overrides = [...]string{"updates", "extra"}

// openModules indexes a tree. nil stands for a kernel without modules.
func openModules(files fs.FS) (*kmodTree, error) {
	t := &kmodTree{files: files, paths: map[string]string{}, builtin: map[string]bool{}}
	if files == nil {
		t.assumeBuiltin = true
		return t, nil
	}
	if err := t.readBuiltin(); err != nil {
		return nil, err
	}
	err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if name, ok := moduleName(p); ok {
			if old, twice := t.paths[name]; !twice || rank(p) < rank(old) {
				t.paths[name] = p
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("index the kernel's modules: %w", err)
	}
	return t, nil
}

func rank(p string) int {
	first, _, _ := strings.Cut(p, "/")
	if i := slices.Index(overrides[:], first); i >= 0 {
		return i
	}
	return len(overrides)
}

func (t *kmodTree) readBuiltin() error {
	data, err := fs.ReadFile(t.files, "modules.builtin")
	if errors.Is(err, fs.ErrNotExist) {
		t.assumeBuiltin = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the list of built-in modules: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := moduleName(strings.TrimSpace(line)); ok {
			t.builtin[name] = true
		}
	}
	return nil
}

// moduleName is the kernel's name of a module file.
func moduleName(p string) (string, bool) {
	base := path.Base(p)
	for _, s := range []string{".gz", ".xz", ".zst"} {
		base = strings.TrimSuffix(base, s)
	}
	name, ok := strings.CutSuffix(base, ".ko")
	return normal(name), ok && name != ""
}

// normal gives a module the name that the kernel uses.
func normal(name string) string { return strings.ReplaceAll(name, "-", "_") }

// read returns a module as the kernel loads it: uncompressed.
func (t *kmodTree) read(name string) ([]byte, error) {
	file := t.paths[name]
	f, err := t.files.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", name, err)
	}
	defer f.Close()
	r, err := unpackModule(f, path.Ext(file))
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", file, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", file, err)
	}
	if len(data) > maxModule {
		return nil, fmt.Errorf("read module %s: it unpacks to more than %d bytes", file, maxModule)
	}
	return data, nil
}

func unpackModule(r io.Reader, ext string) (io.Reader, error) {
	switch ext {
	case ".gz":
		return gzip.NewReader(r)
	case ".xz":
		return xz.NewReader(r, xz.DefaultDictMax)
	case ".zst":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return r, nil
}

// modinfo is what a module says of itself.
type modinfo struct {
	depends []string // names
	before  []string // names or aliases that should be loaded before: softdep
	aliases []string
}

// parseModinfo reads the section .modinfo of a module: strings key=value, each
// ended by a zero byte. depmod makes its lists from nothing else, so that no
// modules.dep is needed and none can be stale.
func parseModinfo(data []byte) (modinfo, error) {
	var info modinfo
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return info, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return info, errors.New("it has no section .modinfo")
	}
	text, err := section.Data()
	if err != nil {
		return info, err
	}
	for field := range strings.SplitSeq(string(text), "\x00") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "depends":
			for name := range strings.SplitSeq(value, ",") {
				if name != "" {
					info.depends = append(info.depends, normal(name))
				}
			}
		case "softdep":
			info.before = append(info.before, softBefore(value)...)
		case "alias":
			info.aliases = append(info.aliases, value)
		}
	}
	return info, nil
}

// softBefore reads "pre: a b post: c", and takes what is after a "pre:".
func softBefore(value string) []string {
	var names []string
	pre := false
	for word := range strings.FieldsSeq(value) {
		switch {
		case strings.HasSuffix(word, ":"):
			pre = word == "pre:"
		case pre:
			names = append(names, normal(word))
		}
	}
	return names
}

// resolver collects modules, each after those that it needs.
type resolver struct {
	tree    *kmodTree
	list    []modlist.Module
	data    map[string][]byte
	index   map[string]int   // in list
	failed  map[string]error // cannot be used
	waiting map[string]bool  // on the way down: a circle
}

func newResolver(t *kmodTree) *resolver {
	return &resolver{
		tree: t, data: map[string][]byte{}, index: map[string]int{},
		failed: map[string]error{}, waiting: map[string]bool{},
	}
}

// errNoModule says that a kernel neither has a module nor holds it inside.
var errNoModule = errors.New("the kernel has no such module")

// add takes a module and what it needs into the list. ok is false if it is
// built in: then there is nothing to load.
func (r *resolver) add(name string) (ok bool, err error) {
	if _, done := r.index[name]; done {
		return true, nil
	}
	if err := r.failed[name]; err != nil {
		return false, err
	}
	if _, there := r.tree.paths[name]; !there {
		if r.tree.builtin[name] || r.tree.assumeBuiltin {
			return false, nil
		}
		return false, fmt.Errorf("%s: %w", name, errNoModule)
	}
	if r.waiting[name] {
		return false, fmt.Errorf("%s needs itself", name)
	}
	r.waiting[name] = true
	defer delete(r.waiting, name)
	if err := r.load(name); err != nil {
		r.failed[name] = err
		return false, err
	}
	return true, nil
}

func (r *resolver) load(name string) error {
	data, err := r.tree.read(name)
	if err != nil {
		return err
	}
	info, err := parseModinfo(data)
	if err != nil {
		return fmt.Errorf("module %s: %w", r.tree.paths[name], err)
	}
	m := modlist.Module{Name: name, Aliases: deviceAliases(info.aliases)}
	for _, need := range info.depends {
		if err := r.need(&m, need); err != nil {
			return fmt.Errorf("%s needs %w", name, err)
		}
	}
	for _, soft := range info.before {
		// What is only an alias (crypto-crc32c) or missing is done without.
		_ = r.need(&m, soft)
	}
	m.Path = path.Join(modulesDir, r.tree.plainPath(name))
	r.index[name] = len(r.list)
	r.list = append(r.list, m)
	r.data[name] = data
	return nil
}

// need adds a module that m needs, with what that needs in turn.
func (r *resolver) need(m *modlist.Module, name string) error {
	ok, err := r.add(name)
	if err != nil || !ok {
		return err
	}
	for _, n := range append(slices.Clone(r.list[r.index[name]].Needs), name) {
		if !slices.Contains(m.Needs, n) {
			m.Needs = append(m.Needs, n)
		}
	}
	return nil
}

// plainPath is the module's path without the ending of its compression.
func (t *kmodTree) plainPath(name string) string {
	p := t.paths[name]
	if i := strings.LastIndex(p, ".ko"); i >= 0 {
		return p[:i+3]
	}
	return p
}

// deviceAliases drops those that no device has: names of file systems,
// ciphers, character devices by number.
func deviceAliases(aliases []string) []string {
	var out []string
	for _, a := range aliases {
		bus, _, ok := strings.Cut(a, ":")
		if ok && bus != "net-pf" && !strings.Contains(bus, "-") {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
