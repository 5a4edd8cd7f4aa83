// SPDX-License-Identifier: GPL-3.0-or-later

package rastos

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// file is one Go file of the module.
type file struct {
	path    string // from the module's root, with slashes
	dir     string
	src     []byte
	ast     *ast.File
	fset    *token.FileSet
	test    bool
	imports []importSpec
}

type importSpec struct {
	path string
	at   string
}

type scanned struct {
	files []*file
	err   error
}

// scan reads every file once for all tests.
var scan = sync.OnceValue(func() scanned {
	var s scanned
	s.err = filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(base, ".") || base == "build" || base == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		f, err := read(name)
		if err != nil {
			return err
		}
		s.files = append(s.files, f)
		return nil
	})
	return s
})

func read(name string) (*file, error) {
	src, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return parseFile(name, src)
}

func parseFile(name string, src []byte) (*file, error) {
	var err error
	slash := filepath.ToSlash(name)
	f := &file{path: slash, dir: path.Dir(slash), src: src, fset: token.NewFileSet(), test: strings.HasSuffix(name, "_test.go")}
	f.ast, err = parser.ParseFile(f.fset, slash, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	for _, imp := range f.ast.Imports {
		p, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return nil, err
		}
		f.imports = append(f.imports, importSpec{p, f.at(imp)})
	}
	return f, nil
}

func allFiles(t *testing.T) []*file {
	t.Helper()
	s := scan()
	if s.err != nil {
		t.Fatal(s.err)
	}
	// An empty scan would let every rule pass.
	if len(s.files) < 10 {
		t.Fatalf("only %d Go files found: are the rules run from the module's root?", len(s.files))
	}
	return s.files
}

// productFiles are the files that are no tests.
func productFiles(t *testing.T) []*file {
	t.Helper()
	return slices.DeleteFunc(slices.Clone(allFiles(t)), func(f *file) bool { return f.test })
}

func byPackage(files []*file) map[string][]*file {
	m := map[string][]*file{}
	for _, f := range files {
		m[f.dir] = append(m[f.dir], f)
	}
	return m
}

func (f *file) at(n ast.Node) string { return fmt.Sprintf("%s:%d", f.path, f.line(n.Pos())) }

func (f *file) line(p token.Pos) int { return f.fset.Position(p).Line }

// eachSelector calls fn for every package.Name in the file.
func (f *file) eachSelector(fn func(pkg, name, at string)) {
	names := map[string]string{}
	for i, imp := range f.ast.Imports {
		name := path.Base(f.imports[i].path)
		if imp.Name != nil {
			name = imp.Name.Name
		}
		names[name] = f.imports[i].path
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Obj == nil && names[id.Name] != "" {
				fn(names[id.Name], sel.Sel.Name, f.at(sel))
			}
		}
		return true
	})
}

type varSpec struct {
	*ast.ValueSpec
	embed bool
}

// packageVars returns the variables declared at the top of the file.
func (f *file) packageVars() []varSpec {
	var specs []varSpec
	for _, d := range f.ast.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, s := range gen.Specs {
			spec := s.(*ast.ValueSpec)
			specs = append(specs, varSpec{spec, embeds(gen.Doc) || embeds(spec.Doc)})
		}
	}
	return specs
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// eachAssignment calls fn for every variable that is assigned to, counted up
// or down, or has its address taken, at any depth (x, x.y, x[i]).
func (f *file) eachAssignment(fn func(id *ast.Ident, at string)) {
	note := func(e ast.Expr) {
		if id := rootIdent(e); id != nil {
			fn(id, f.at(id))
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					note(e)
				}
			}
		case *ast.IncDecStmt:
			note(n.X)
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") && len(n.Args) > 0 {
				note(n.Args[0])
			}
		}
		return true
	})
}

func rootIdent(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
