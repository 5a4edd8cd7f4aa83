// SPDX-License-Identifier: GPL-3.0-or-later

package rastos

import (
	"fmt"
	"go/ast"
	"go/token"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const spdx = "// SPDX-License-Identifier: GPL-3.0-or-later"

func TestLicenceLine(t *testing.T) {
	for _, f := range allFiles(t) {
		first, _, _ := strings.Cut(string(f.src), "\n")
		if first != spdx {
			t.Errorf("%s:1: the first line must be %q", f.path, spdx)
		}
	}
}

// junk are the names of rooms without a noun.
var junk = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib", "core", "types"}

func TestPackages(t *testing.T) {
	comments := map[string][]string{}
	for _, f := range allFiles(t) {
		name := f.ast.Name.Name
		if last := path.Base(f.dir); slices.Contains(junk, name) || slices.Contains(junk, last) {
			t.Errorf("%s: package %s: a thing without a home is a thing whose name has not been found yet", f.path, name)
		}
		if f.test {
			continue
		}
		if _, seen := comments[f.dir]; !seen {
			comments[f.dir] = nil
		}
		if f.ast.Doc == nil {
			continue
		}
		comments[f.dir] = append(comments[f.dir], f.path)
		if want := commentStart(f); !slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(f.ast.Doc.Text(), w) }) {
			t.Errorf("%s: the package comment must begin with %q", f.path, want[0])
		}
	}
	for dir, files := range comments {
		switch len(files) {
		case 0:
			t.Errorf("%s: no package comment: say what is implemented, what is not, and where the format is specified", dir)
		case 1:
		default:
			t.Errorf("%s: package comments in %s: one is enough", dir, strings.Join(files, ", "))
		}
	}
}

// commentStart is how a package comment begins, by the custom of go doc.
func commentStart(f *file) []string {
	if f.ast.Name.Name != "main" {
		return []string{"Package " + f.ast.Name.Name + " "}
	}
	command := path.Base(f.dir)
	return []string{"Command " + command + " ", strings.ToUpper(command[:1]) + command[1:] + " "}
}

func TestNoInit(t *testing.T) {
	for _, f := range allFiles(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init runs unasked in every program that imports the package", f.at(fn))
			}
		}
	}
}

// varExceptions are the package variables that must be set from outside.
var varExceptions = map[string]string{
	"cmd/rastos.version":      "the linker sets it",
	"cmd/rastos-init.version": "the linker sets it",
}

// valueMakers are functions whose results do not change: their values may
// stand in package variables.
var valueMakers = []string{
	"errors.New", "fmt.Errorf", "regexp.MustCompile", "netip.MustParseAddr", "netip.MustParsePrefix", "uuid.MustParse",
	"strings.NewReplacer", "crc32.MakeTable", "sync.OnceValue", "sync.OnceValues", "flag.Bool", "guid.MustParse", "reflect.TypeFor", "reflect.TypeOf",
	"big.NewInt", "time.Unix", "time.Date", "slices.Sorted",
}

func TestNoMutablePackageVariables(t *testing.T) {
	for dir, files := range byPackage(productFiles(t)) {
		for _, problem := range mutableVars(dir, files) {
			t.Error(problem)
		}
	}
}

// mutableVars finds the package variables of one package that could or do
// change.
func mutableVars(dir string, files []*file) (problems []string) {
	names := map[string]*ast.ValueSpec{}
	for _, f := range files {
		for _, spec := range f.packageVars() {
			problems = append(problems, checkVar(f, dir, spec, names)...)
		}
	}
	for _, f := range files {
		f.eachAssignment(func(id *ast.Ident, at string) {
			spec, isVar := names[id.Name]
			if isVar && (id.Obj == nil || id.Obj.Decl == spec) {
				problems = append(problems, fmt.Sprintf("%s: %s is a package variable and is changed here: state belongs in a value that is passed on", at, id.Name))
			}
		})
	}
	return problems
}

func checkVar(f *file, dir string, spec varSpec, names map[string]*ast.ValueSpec) (problems []string) {
	for i, id := range spec.Names {
		if id.Name == "_" || varExceptions[dir+"."+id.Name] != "" {
			continue
		}
		names[id.Name] = spec.ValueSpec
		switch {
		case spec.embed:
		case i >= len(spec.Values):
			problems = append(problems, fmt.Sprintf("%s: package variable %s has no value: it is there to be changed", f.at(id), id.Name))
		case !fixedValue(spec.Values[i]):
			problems = append(problems, fmt.Sprintf("%s: package variable %s: only errors, patterns and lookup tables may stand here (or make it a const)", f.at(id), id.Name))
		}
	}
	return problems
}

// fixedValue says that an expression is a lookup table or a value that does
// not change.
func fixedValue(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit, *ast.SelectorExpr, *ast.Ident:
		return true
	case *ast.UnaryExpr:
		return e.Op == token.AND && fixedValue(e.X)
	case *ast.CallExpr:
		switch fun := e.Fun.(type) {
		case *ast.ArrayType: // []byte("…")
			return true
		case *ast.SelectorExpr:
			if x, ok := fun.X.(*ast.Ident); ok {
				return slices.Contains(valueMakers, x.Name+"."+fun.Sel.Name)
			}
		case *ast.IndexExpr: // reflect.TypeFor[T]()
			if sel, ok := fun.X.(*ast.SelectorExpr); ok {
				return fixedValue(&ast.CallExpr{Fun: sel})
			}
		}
	}
	return false
}

const (
	maxFileLines     = 400
	maxFunctionLines = 60
)

// TestSize tells of long files and functions; it fails only for what is far
// beyond the measure, where the table of contents was clearly not written.
func TestSize(t *testing.T) {
	for _, f := range productFiles(t) {
		lines := strings.Count(string(f.src), "\n")
		switch {
		case lines > maxFileLines*3/2:
			t.Errorf("%s: %d lines; the measure is %d", f.path, lines, maxFileLines)
		case lines > maxFileLines:
			t.Logf("long file: %s: %d lines; the measure is %d", f.path, lines, maxFileLines)
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := f.line(fn.End()) - f.line(fn.Pos()) + 1
			switch {
			case n > maxFunctionLines*2:
				t.Errorf("%s: %s has %d lines; the measure is %d", f.at(fn), fn.Name.Name, n, maxFunctionLines)
			case n > maxFunctionLines:
				t.Logf("long function: %s: %s has %d lines; the measure is %d", f.at(fn), fn.Name.Name, n, maxFunctionLines)
			}
		}
	}
}

// TestInitStaysSmall checks everything that the guest's first program is
// linked from, not only what it imports by name.
func TestInitStaysSmall(t *testing.T) {
	if len(byPackage(productFiles(t))["cmd/rastos-init"]) == 0 {
		t.Log("there is no cmd/rastos-init")
		return
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./cmd/rastos-init")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go list -deps ./cmd/rastos-init: %v\n%s", err, out)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		dir, inside := strings.CutPrefix(dep, module)
		switch {
		case inside && !slices.ContainsFunc(initMay, func(p string) bool { m, _ := path.Match(p, dir); return m }):
			t.Errorf("cmd/rastos-init is linked with %s: every initramfs would carry it (table `initMay`)", dir)
		case !inside && !slices.ContainsFunc(initExternal, func(p string) bool { return under(dep, p) }):
			t.Errorf("cmd/rastos-init is linked with %s: every initramfs would carry it (table `initExternal`)", dep)
		}
	}
}

// initExternal are the modules that the guest's first program may hold.
var initExternal = []string{"golang.org/x/sys", "github.com/klauspost/compress", "github.com/therootcompany/xz", "github.com/moby/sys/mountinfo"}
