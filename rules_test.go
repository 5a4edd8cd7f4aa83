// SPDX-License-Identifier: GPL-3.0-or-later

package rastos

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rastos/rastos/"

// ring is a storey of the house: who may import whom follows from it.
type ring string

const (
	codec  ring = "codec"
	report ring = "report"
	plan   ring = "plan"
	noun   ring = "noun"
	host   ring = "host"
	flow   ring = "flow"
	face   ring = "face" // cli, tui and pacman's command line
	cmd    ring = "cmd"
	kit    ring = "testkit"
	tool   ring = "tool" // programs that build or measure rastOS and are not part of it
	law    ring = "law"  // the module's root
)

// codecs are pure: bytes in, values out. What ends in "/" stands for all below.
var codecs = []string{
	"alpm/version", "alpm/desc", "alpm/mtree", "alpm/pkgfile", "alpm/libalpm/wire",
	"qcow2", "rinit", "pkgbuild", "btrfs/stream", "internal/parcel",
	"internal/mistake", "internal/schema", "internal/deploy/etcmerge", "internal/lockfile",
}

func ringOf(dir string) ring {
	switch first, _, _ := strings.Cut(dir, "/"); {
	case dir == ".":
		return law
	case slices.Contains(codecs, dir):
		return codec
	case dir == "internal/report":
		return report
	case dir == "internal/plan":
		return plan
	case under(dir, "internal/host"):
		return host
	case under(dir, "internal/flow"):
		return flow
	case under(dir, "internal/cli"), under(dir, "internal/tui"), under(dir, "internal/pacman"):
		return face
	case under(dir, "internal/testkit"), strings.HasSuffix(dir, "test") && first != "test":
		// esptest and its like hold the contract suite of one interface.
		return kit
	case first == "cmd":
		return cmd
	case first == "tools" || first == "test" || first == "bench":
		return tool
	}
	return noun
}

func under(dir, parent string) bool { return dir == parent || strings.HasPrefix(dir, parent+"/") }

// mayImport says which rings each ring may import, beside its edges below.
var mayImport = map[ring][]ring{
	codec:  {codec},
	report: {},
	plan:   {report},
	noun:   {codec, plan, report},
	host:   {codec, host},
	flow:   {codec, plan, report, noun, flow},
	face:   {codec, report, noun, flow},
	cmd:    {codec, report, plan, noun, host, flow, face, cmd},
	kit:    {codec, report, plan, noun, host, flow, kit},
	tool:   {codec, report, plan, noun, host, flow, kit, tool},
	law:    {},
}

// ringReasons say why a ring stops where it does.
var ringReasons = map[ring]string{
	codec:  "a codec works on bytes alone, so that it can be fuzzed and used by other programs",
	report: "report is imported by all and so imports none",
	plan:   "plan knows steps, not what they do",
	noun:   "a noun gets its effects through interfaces that it declares; another noun only by an edge in the table `edges`",
	host:   "host is the door to the machine and knows no rastOS",
	flow:   "a story gets the machine as a value from cmd, so that tests can give it another",
	face:   "cli and tui only ask and show: what touches the machine is reached through flow, and they never import each other",
	tool:   "a tool builds, measures or shows rastOS by its libraries; the command line is for people",
	kit:    "what tests share builds on rooms and stories; the command line is for people",
	law:    "the root holds tests only",
}

// faceNouns are the nouns that the command line may name: what it reads
// before any story begins.
var faceNouns = []string{"internal/manifest", "internal/config"}

// enginesFace may name the nouns of alpm: pacman's command line is a face over
// the package engine itself, as cli is one over the stories.
const enginesFace = "internal/pacman"

// edges are the imports from noun to noun, each with its reason.
var edges = map[[2]string]string{
	{"internal/deploy", "internal/node"}:       "a deployment is a node made bootable",
	{"internal/vm", "internal/agent"}:          "the host's end of the guest's control channel",
	{"internal/boot/esptest", "internal/boot"}: "the contract of its interface",
	{"alpm/trans/rootfs", "alpm/extract"}:      "what stays as it was found is held against what extract found",
	{"alpm/trans", "alpm/*"}:                   "a transaction is where the engine's parts meet",
	{"alpm/libalpm", "alpm/*"}:                 "it stands in for alpm/trans: the same values go in and come out",
	{"alpm/libalpm", "alpm/trans/rootfs"}:      "what a dead helper left in the root is removed as a transaction removes files, never outside of it",
	{"internal/declare", "alpm/solve"}:         "a declaration is worked out with the solver's own idea of what packages mean",
	{"btrfs/compare", "btrfs"}:                 "the kernel compares two subvolumes by sending one",
	{"btrfs/receive", "btrfs"}:                 "a stream is carried out by the calls that make and mark subvolumes",
	{"alpm/repo", "alpm/syncdb"}:               "a repository is a sync database and its packages",
	{"alpm/hook", "alpm/scriptlet"}:            "hooks run in the same chroot as scriptlets",
	{"alpm/conf", "alpm/keyring"}:              "SigLevel is a value of pacman.conf",
	{"alpm/verify", "alpm/extract"}:            "what was written by one way below the root is looked at by the same",
}

func hasEdge(from, to string) bool {
	if edges[[2]string{from, to}] != "" {
		return true
	}
	return edges[[2]string{from, path.Dir(to) + "/*"}] != ""
}

// externals says what each kind of package may import from outside the
// module, where that is limited.
var externals = map[ring][]string{
	codec:  {"github.com/klauspost/compress", "github.com/therootcompany/xz", "github.com/pelletier/go-toml/v2", "mvdan.cc/sh/v3"},
	report: {"github.com/vbauerster/mpb/v8", "golang.org/x/term"},
	plan:   {},
	host:   {"golang.org/x/sys", "github.com/moby/sys/mountinfo", "golang.org/x/term"},
	face:   {"github.com/spf13/cobra", "github.com/spf13/pflag", "charm.land"},
	law:    {},
}

// initMay lists all that the guest's first program is made of: it goes into
// every initramfs, where each megabyte is read at every boot.
var initMay = []string{
	"internal/agent", "internal/boot", "internal/boot/modlist", "internal/host/*", "internal/supervise", "internal/deploy", "internal/deploy/*",
	"internal/node", "internal/mistake", "rinit", "btrfs", "cmd/rastos-init", "cmd/rastos-init/*",
}

func TestImportRings(t *testing.T) {
	for _, f := range productFiles(t) {
		from := ringOf(f.dir)
		for _, imp := range f.imports {
			to, inside := strings.CutPrefix(imp.path, module)
			if !inside {
				checkExternal(t, f, imp, from)
				continue
			}
			if !importAllowed(f.dir, to) {
				t.Errorf("%s: %s (%s) imports %s (%s): %s", imp.at, f.dir, from, to, ringOf(to), ringReasons[from])
			}
		}
	}
}

func importAllowed(from, to string) bool {
	a, b := ringOf(from), ringOf(to)
	switch {
	case from == to || under(to, from) && b != kit:
		return true // a room and its closets
	case under(from, enginesFace) && under(to, enginesFace):
		return true // rooms of one face
	case a == noun && b == noun:
		return hasEdge(from, to)
	case a == face && b == noun:
		return slices.Contains(faceNouns, to) || under(from, enginesFace) && under(to, "alpm")
	}
	return slices.Contains(mayImport[a], b)
}

func checkExternal(t *testing.T, f *file, imp importSpec, from ring) {
	allowed, limited := externals[from]
	if !limited || !strings.Contains(strings.SplitN(imp.path, "/", 2)[0], ".") {
		return
	}
	for _, prefix := range allowed {
		if under(imp.path, prefix) || strings.HasPrefix(imp.path, prefix) {
			return
		}
	}
	t.Errorf("%s: %s (%s) imports %s, which is not in the table `externals`", imp.at, f.dir, from, imp.path)
}

// place is a rule about where something may be used.
type place struct {
	reason string
	dirs   []string
}

func (p place) allows(dir string) bool {
	return slices.ContainsFunc(p.dirs, func(d string) bool { return under(dir, d) })
}

// importPlaces bind a package to the rooms that may use it.
var importPlaces = map[string]place{
	"os/exec": {"programs are run by the one runner, with an argument vector, a context and captured output",
		[]string{"internal/host/run", "internal/testkit", "tools", "test", "bench"}},
	"golang.org/x/sys/unix": {"raw system calls are made where the one kernel interface lives",
		[]string{"internal/host", "btrfs", "alpm/extract", "internal/supervise", "internal/testkit", "tools", "test"}},
	"log":          {"the log is structured (log/slog) and given as a parameter", nil},
	"math/rand":    {"randomness is a parameter", []string{"internal/testkit", "tools", "test", "bench"}},
	"math/rand/v2": {"randomness is a parameter", []string{"internal/testkit", "tools", "test", "bench"}},
	"io/ioutil":    {"it is deprecated", nil},
	"unsafe": {"memory is laid out by hand only for the kernel and for C",
		[]string{"internal/host", "btrfs", "alpm/extract", "internal/supervise", "cmd/rastos-libalpm"}},
	"C": {"rastOS is static; what needs a C library is a program of its own, spoken to over a pipe",
		[]string{"cmd/rastos-libalpm"}},
	"plugin": {"rastOS is one static binary", nil},
}

// callPlaces bind a function to the rooms that may name it.
var callPlaces = map[string]place{
	"os.Exit": {"only cmd ends the process, so that what was taken is given back",
		[]string{"cmd", "tools", "test", "bench", "internal/host/run"}},
	"os.Args":         {"the command line is a parameter", []string{"cmd", "tools", "test", "bench", "internal/host/run"}},
	"os.Getenv":       {"the environment is a parameter", []string{"cmd", "tools", "test", "bench", "internal/testkit", "internal/host"}},
	"os.Stdout":       {"streams are parameters", []string{"cmd", "tools", "test", "bench", "internal/host/run"}},
	"os.Stderr":       {"streams are parameters", []string{"cmd", "tools", "test", "bench", "internal/host/run"}},
	"os.Stdin":        {"streams are parameters", []string{"cmd", "tools", "test", "bench", "internal/host/run"}},
	"os.Chdir":        {"the working directory belongs to the whole process", nil},
	"slog.SetDefault": {"the log is a parameter", nil},
	"slog.Default":    {"the log is a parameter", nil},
}

// rawCalls are what package syscall can do to the machine; its constants and
// error numbers may be used anywhere.
var rawCalls = []string{"Syscall", "Syscall6", "RawSyscall", "RawSyscall6", "Mount", "Unmount", "Chroot", "PivotRoot",
	"Reboot", "Sethostname", "Exec", "ForkExec", "StartProcess", "Unshare", "Setns", "Kill", "Flock", "Mknod"}

func TestWhatIsUsedWhere(t *testing.T) {
	for _, f := range productFiles(t) {
		for _, imp := range f.imports {
			if p, ruled := importPlaces[imp.path]; ruled && !p.allows(f.dir) {
				t.Errorf("%s: %s imports %s: %s", imp.at, f.dir, imp.path, p.reason)
			}
			if under(imp.path, module+"internal/testkit") && !slices.Contains([]ring{kit, tool}, ringOf(f.dir)) {
				t.Errorf("%s: %s imports testkit outside a test: it is no part of the product", imp.at, f.dir)
			}
		}
		f.eachSelector(func(pkg, name string, at string) {
			if p, ruled := callPlaces[path.Base(pkg)+"."+name]; ruled && !p.allows(f.dir) {
				t.Errorf("%s: %s.%s: %s", at, path.Base(pkg), name, p.reason)
			}
			if pkg == "syscall" && slices.Contains(rawCalls, name) && !importPlaces["golang.org/x/sys/unix"].allows(f.dir) {
				t.Errorf("%s: syscall.%s: %s", at, name, importPlaces["golang.org/x/sys/unix"].reason)
			}
		})
	}
}

// TestSkips keeps skips in testkit, where CI=true turns them into failures.
func TestSkips(t *testing.T) {
	for _, f := range allFiles(t) {
		if !f.test || under(f.dir, "internal/testkit") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if fn, ok := n.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Fuzz") || isFuzzCall(n) {
				return false // there, a skip drops an input
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) && isTestValue(sel.X) {
				t.Errorf("%s: a test skips by itself: use a testkit.Need… check, which fails where CI=true", f.at(call))
			}
			return true
		})
	}
}

func isFuzzCall(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Fuzz"
}

func isTestValue(x ast.Expr) bool {
	id, ok := x.(*ast.Ident)
	return ok && slices.Contains([]string{"t", "b", "tb", "f"}, id.Name)
}
