// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"archive/tar"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/testkit"
)

// universe is a random world for the solver: two repositories, some packages
// installed, and a request.
type universe struct {
	repos     map[string][]*desc.Package
	installed []*desc.Package
	targets   []string
	upgrade   bool
}

const universePackages, universeVirtuals = 12, 4

func randomUniverse(seed uint64) universe {
	r := rand.New(rand.NewPCG(seed, 1))
	u := universe{repos: map[string][]*desc.Package{}}
	for _, name := range []string{"core", "extra"} {
		for i := range universePackages {
			if r.IntN(10) < 7 {
				u.repos[name] = append(u.repos[name], randomPackage(r, i))
			}
		}
	}
	for i := range universePackages {
		if r.IntN(10) < 3 {
			p := randomPackage(r, i)
			if r.IntN(2) == 0 {
				p.Reason = desc.Depend
			}
			p.Replaces, p.Conflicts = nil, nil
			u.installed = append(u.installed, p)
		}
	}
	u.upgrade = r.IntN(3) == 0
	for range r.IntN(3) + 1 {
		if !u.upgrade || r.IntN(2) == 0 {
			u.targets = append(u.targets, randomRelation(r, 8))
		}
	}
	return u
}

func randomPackage(r *rand.Rand, i int) *desc.Package {
	p := &desc.Package{
		Name: "p" + strconv.Itoa(i), Version: strconv.Itoa(1+r.IntN(3)) + "-1", Arch: "any",
		CompressedSize: 1, SHA256: strings.Repeat("0", 64), Validation: []string{"none"},
	}
	p.Filename = p.Entry() + "-any.pkg.tar.zst"
	for range r.IntN(3) {
		p.Depends = append(p.Depends, randomRelation(r, 6))
	}
	if r.IntN(3) == 0 {
		v := "v" + strconv.Itoa(r.IntN(universeVirtuals))
		if r.IntN(2) == 0 {
			v += "=" + strconv.Itoa(1+r.IntN(3))
		}
		p.Provides = []string{v}
	}
	if r.IntN(8) == 0 {
		p.Conflicts = []string{randomRelation(r, 3)}
	}
	if r.IntN(10) == 0 {
		p.Replaces = []string{"p" + strconv.Itoa(r.IntN(universePackages))}
	}
	return p
}

// randomRelation names a package or, one time in share, a virtual one;
// sometimes with a version.
func randomRelation(r *rand.Rand, share int) string {
	name := "p" + strconv.Itoa(r.IntN(universePackages))
	if r.IntN(share) == 0 {
		name = "v" + strconv.Itoa(r.IntN(universeVirtuals))
	}
	if r.IntN(4) == 0 {
		name += []string{">=", "<=", "=", ">", "<"}[r.IntN(5)] + strconv.Itoa(1+r.IntN(3))
	}
	return name
}

func (u universe) write(t *testing.T, dbPath string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(dbPath, "sync"), 0o755))
	for _, name := range []string{"core", "extra"} {
		f, err := os.Create(filepath.Join(dbPath, "sync", name+".db"))
		must(t, err)
		w := tar.NewWriter(f)
		for _, p := range u.repos[name] {
			text, err := desc.EncodeSync(p)
			must(t, err)
			must(t, w.WriteHeader(&tar.Header{Name: p.Entry() + "/", Typeflag: tar.TypeDir, Mode: 0o755}))
			must(t, w.WriteHeader(&tar.Header{Name: p.Entry() + "/desc", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}))
			_, err = w.Write(text)
			must(t, err)
		}
		must(t, w.Close())
		must(t, f.Close())
	}
	db, err := localdb.OpenWith(filepath.Join(dbPath, "local"), localdb.Options{Fast: true})
	must(t, err)
	for _, p := range u.installed {
		must(t, db.Add(p, nil))
	}
}

func (u universe) String() string {
	var b strings.Builder
	line := func(p *desc.Package) {
		fmt.Fprintf(&b, "  %s %s depends=%v provides=%v conflicts=%v replaces=%v reason=%v\n", p.Name, p.Version, p.Depends, p.Provides, p.Conflicts, p.Replaces, p.Reason)
	}
	for _, name := range []string{"core", "extra"} {
		fmt.Fprintf(&b, "%s:\n", name)
		for _, p := range u.repos[name] {
			line(p)
		}
	}
	b.WriteString("local:\n")
	for _, p := range u.installed {
		line(p)
	}
	fmt.Fprintf(&b, "targets %v, upgrade %v\n", u.targets, u.upgrade)
	return b.String()
}

// differentialSeeds is small enough for every run; RASTOS_TEST_SEEDS asks for
// more.
const differentialSeeds = 100

func seedCount() int {
	if n, err := strconv.Atoi(os.Getenv("RASTOS_TEST_SEEDS")); err == nil {
		return n
	}
	return differentialSeeds
}

// TestPeerSolves compares plans with pacman's over random universes: the same
// packages from the same repositories in the same order (pacman -Sp, which
// leaves conflicts out), and the same packages to install and to remove
// (pacman -S, up to its question), or a refusal by both. Where pacman's walk
// finds no way our search may find one; that must be sound.
func TestPeerSolves(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedRoot(t) // pacman takes its lock
	testkit.NeedTool(t, "pacman")
	seeds := seedCount()
	solved, found, different := 0, 0, 0
	for seed := 0; seed < seeds && different < 4; seed++ {
		u := randomUniverse(uint64(seed))
		dir, err := os.MkdirTemp(tmpfs(), "rastos-solve-")
		must(t, err)
		u.write(t, filepath.Join(dir, "db"))
		for _, ask := range []func(*testing.T, string) (theirs, ours, detail string){u.order, u.transaction} {
			theirs, ours, detail := ask(t, dir)
			if theirs != "" {
				solved++
			}
			if theirs == "" && ours != "" {
				found++
				if problem := u.unsound(t, dir); problem != "" {
					t.Errorf("seed %d:\n%s\nours:   %q is not sound: %s", seed, u, ours, problem)
				}
				continue
			}
			if ours != theirs {
				different++
				t.Errorf("seed %d:\n%s\npacman: %q\nours:   %q\n%s", seed, u, theirs, ours, detail)
			}
		}
		os.RemoveAll(dir)
	}
	if different == 0 && solved < seeds/3 {
		t.Errorf("only %d of %d requests have a solution: the test says too little", solved, 2*seeds)
	}
	t.Logf("%d requests solved as by pacman, %d that pacman gives up", solved, found)
}

// unsound plans the request once more, and looks at the packages that it
// leaves: the new ones lack nothing, the old ones lose nothing, no new one is
// in a conflict, and none is gone.
func (u universe) unsound(t *testing.T, dir string) (problem string) {
	plan, err := u.ours(t, dir, false)
	if err != nil {
		return "" // it is so for the order alone, which leaves conflicts out
	}
	before, after := map[string]*desc.Package{}, map[string]*desc.Package{}
	for _, p := range u.installed {
		before[p.Name], after[p.Name] = p, p
	}
	for _, rm := range plan.Remove {
		delete(after, rm.Package.Name)
		if rm.Cause != solve.CauseReplaced {
			return rm.Package.Name + " goes"
		}
	}
	for _, st := range plan.Install {
		after[st.Package.Name] = st.Package
	}
	meets := func(in map[string]*desc.Package, text, not string) *desc.Package {
		for name, q := range in {
			if name != not && q.Satisfies(desc.ParseDep(text)) {
				return q
			}
		}
		return nil
	}
	for _, p := range after {
		isNew := before[p.Name] != p
		for _, text := range p.Depends {
			if meets(after, text, "") == nil && (isNew || meets(before, text, "") != nil) {
				return p.Name + " lacks " + text
			}
		}
		for _, text := range p.Conflicts {
			if q := meets(after, text, p.Name); q != nil && (isNew || before[q.Name] != q) {
				return p.Name + " is in conflict with " + q.Name
			}
		}
	}
	return ""
}

func (u universe) order(t *testing.T, dir string) (theirs, ours, detail string) {
	out, err := u.pacman(t, dir, "-Sp", "--print-format", "%r/%n-%v")
	if err == nil {
		theirs = "ok"
		for _, l := range strings.Split(out, "\n") {
			if strings.HasPrefix(l, "core/") || strings.HasPrefix(l, "extra/") {
				theirs += " " + l
			}
		}
	}
	plan, err := u.ours(t, dir, true)
	if err != nil {
		return theirs, "", out + err.Error()
	}
	ours = "ok"
	for _, st := range plan.Install {
		ours += " " + st.Repo + "/" + st.Package.Entry()
	}
	return theirs, ours, out
}

func (u universe) transaction(t *testing.T, dir string) (theirs, ours, detail string) {
	// It fails in any case, since there is nothing to download; the plan is in
	// what it prints before.
	out, _ := u.pacman(t, dir, "-S")
	if _, list, ok := strings.Cut(out, "\nPackages ("); ok {
		_, list, _ = strings.Cut(list, ")")
		list, _, _ = strings.Cut(list, "\n\n")
		theirs = sorted(strings.Fields(list)) // removals are not marked
	} else if strings.Contains(out, "there is nothing to do") {
		theirs = "ok"
	}
	plan, err := u.ours(t, dir, false)
	if err != nil {
		return theirs, "", out + err.Error()
	}
	var all []string
	for _, st := range plan.Install {
		all = append(all, st.Package.Entry())
	}
	for _, rm := range plan.Remove {
		all = append(all, rm.Package.Entry())
	}
	return theirs, sorted(all), out
}

func sorted(list []string) string {
	sort.Strings(list)
	return strings.TrimSpace("ok " + strings.Join(list, " "))
}

// TestPeerRemoves compares removals, and their order, with pacman -Rp.
func TestPeerRemoves(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedRoot(t)
	testkit.NeedTool(t, "pacman")
	flags := []struct {
		flag string
		req  trans.Request
	}{
		{"-Rp", trans.Request{}},
		{"-Rcp", trans.Request{Cascade: true}},
		{"-Rsp", trans.Request{Recursive: true}},
		{"-Rssp", trans.Request{RecursiveAll: true}},
		{"-Rup", trans.Request{Unneeded: true}},
		{"-Rcsp", trans.Request{Cascade: true, Recursive: true}},
		{"-Rusp", trans.Request{Unneeded: true, Recursive: true}},
	}
	different := 0
	for seed := 0; seed < seedCount()/2 && different < 4; seed++ {
		u := randomUniverse(uint64(seed))
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		u.installed, u.targets, u.upgrade = nil, nil, false
		for i := range universePackages {
			p := randomPackage(r, i)
			p.Reason = desc.Reason(r.IntN(2))
			u.installed = append(u.installed, p)
		}
		for _, i := range r.Perm(universePackages)[:1+r.IntN(2)] {
			u.targets = append(u.targets, u.installed[i].Name)
		}
		dir, err := os.MkdirTemp(tmpfs(), "rastos-remove-")
		must(t, err)
		u.write(t, filepath.Join(dir, "db"))
		f := flags[seed%len(flags)]
		theirs, ours := "", ""
		out, err := u.pacman(t, dir, f.flag, "--print-format", "%n-%v")
		if err == nil {
			theirs = "ok"
			for _, l := range strings.Fields(out) {
				if strings.HasPrefix(l, "p") && strings.HasSuffix(l, "-1") {
					theirs += " " + l
				}
			}
		}
		f.req.Remove = u.targets
		env := trans.Env{Root: dir, DBPath: filepath.Join(dir, "db")}
		plan, err := trans.Prepare(context.Background(), env, f.req)
		if err == nil {
			ours = "ok"
			for _, rm := range plan.Remove {
				ours += " " + rm.Package.Entry()
			}
		}
		os.RemoveAll(dir)
		if ours != theirs {
			different++
			t.Errorf("seed %d, %s:\n%s\npacman: %q\nours:   %q %v\n%s", seed, f.flag, u, theirs, ours, err, out)
		}
	}
}

func (u universe) pacman(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	conf := filepath.Join(dir, "pacman.conf")
	must(t, os.WriteFile(conf, []byte("[options]\nArchitecture = x86_64\nSigLevel = Never\n[core]\nServer = file:///nowhere\n[extra]\nServer = file:///nowhere\n"), 0o644))
	args = append(args, "--noconfirm", "--root", dir, "--dbpath", filepath.Join(dir, "db"), "--config", conf,
		"--logfile", filepath.Join(dir, "log"), "--cachedir", dir)
	if u.upgrade {
		args = append(args, "-u")
	}
	cmd := exec.Command("pacman", append(args, u.targets...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (u universe) ours(t *testing.T, dir string, noConflicts bool) (*trans.Plan, error) {
	t.Helper()
	never, err := keyring.ParseSigLevel(keyring.SigLevel{}, "Never")
	must(t, err)
	env := trans.Env{Root: dir, DBPath: filepath.Join(dir, "db"), CacheDir: dir, Arch: "x86_64",
		Repos: []trans.Repo{{Name: "core", SigLevel: never}, {Name: "extra", SigLevel: never}}}
	return trans.Prepare(context.Background(), env, trans.Request{Targets: u.targets, SysUpgrade: u.upgrade, NoConflicts: noConflicts})
}
