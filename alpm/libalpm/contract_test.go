// SPDX-License-Identifier: GPL-3.0-or-later

package libalpm_test

import (
	"slices"
	"testing"

	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
)

func one(path, content string) map[string]string { return map[string]string{path: content} }

func TestContractInstallUpgradeRemove(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"app 1-1 depends=lib>=1", one("usr/bin/app", "app 1"), ""}, spec{"lib 1-1", one("usr/lib/lib", "lib 1"), ""},
		spec{"other 1-1", one("usr/other", "x"), ""})
	w.both(trans.Request{Targets: []string{"app"}})
	w.holds("usr/bin/app", "app 1")
	w.both(trans.Request{Targets: []string{"core/other"}})
	w.both(trans.Request{Targets: []string{"app"}}) // again
	w.both(trans.Request{Targets: []string{"app"}, Needed: true})
	w.publish(spec{"app 2-1 depends=lib>=2", one("usr/bin/app2", "app 2"), ""}, spec{"lib 2-1", one("usr/lib/lib", "lib 2"), ""},
		spec{"other 1-1", one("usr/other", "x"), ""})
	w.both(trans.Request{SysUpgrade: true})
	w.holds("usr/lib/lib", "lib 2")
	w.both(trans.Request{Remove: []string{"app"}, Recursive: true})
	w.both(trans.Request{Remove: []string{"other"}})
}

func TestContractReplaces(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"old 1-1", one("usr/tool", "old"), ""}, spec{"user 1-1 depends=old", nil, ""})
	w.both(trans.Request{Targets: []string{"user"}})
	w.publish(spec{"new 2-1 replaces=old provides=old conflicts=old", one("usr/tool", "new"), ""}, spec{"user 1-1 depends=old", nil, ""})
	w.both(trans.Request{SysUpgrade: true})
	w.holds("usr/tool", "new")
}

func TestContractConflicts(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1", nil, ""}, spec{"b 1-1 conflicts=a", nil, ""}, spec{"c 1-1 conflicts=d", nil, ""}, spec{"d 1-1", nil, ""})
	w.both(trans.Request{Targets: []string{"a"}})
	w.bothRefuse(trans.Request{Targets: []string{"b"}}, "*solve.ConflictError, exit code 4")
	w.bothRefuse(trans.Request{Targets: []string{"c", "d"}}, "*solve.ConflictError, exit code 4")
	var asked []solve.QuestionKind
	w.both(trans.Request{Targets: []string{"b"}, Answer: func(q solve.Question) int {
		if q.Package.Name != "b" || q.Other.Name != "a" {
			t.Errorf("asked about %s and %s", q.Package.Name, q.Other.Name)
		}
		asked = append(asked, q.Kind)
		return solve.Yes
	}})
	if !slices.Equal(asked, []solve.QuestionKind{solve.QuestionConflict, solve.QuestionConflict}) { // once each
		t.Errorf("asked: %v", asked)
	}
}

func TestContractProviderQuestion(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"app 1-1 depends=mta", nil, ""}, spec{"exim 1-1 provides=mta", nil, ""}, spec{"postfix 1-1 provides=mta", nil, ""})
	choices := 0
	w.both(trans.Request{Targets: []string{"app"}, Answer: func(q solve.Question) int {
		if q.Kind != solve.QuestionProvider || len(q.Choices) != 2 || q.Choices[1].Package.Name != "postfix" {
			t.Errorf("asked: %+v", q)
		}
		choices++
		return 1
	}})
	if choices != 2 {
		t.Errorf("asked %d times", choices)
	}
	w.both(trans.Request{Targets: []string{"mta"}}) // the default
}

func TestContractGroupsAndReasons(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1 groups=all depends=lib", nil, ""}, spec{"b 1-1 groups=all", nil, ""}, spec{"lib 1-1", nil, ""}, spec{"x 1-1", nil, ""})
	w.both(trans.Request{Targets: []string{"all"}})
	w.both(trans.Request{Targets: []string{"x"}, AsDeps: true})
	w.both(trans.Request{Targets: []string{"lib"}, AsExplicit: true})
	w.bothRefuse(trans.Request{Remove: []string{"lib"}}, "*solve.UnsatisfiedError, exit code 4")
	w.both(trans.Request{Remove: []string{"lib"}, Cascade: true})
	w.both(trans.Request{Remove: []string{"all"}})
}

func TestContractWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1 depends=ghost>=2", nil, ""}, spec{"b 1-1 arch=sparc", nil, ""})
	w.bothRefuse(trans.Request{Targets: []string{"nothing"}}, "*solve.NotFoundError, exit code 4")
	w.bothRefuse(trans.Request{Targets: []string{"nothing", "nowhere"}}, "*solve.NotFoundListError, exit code 4")
	w.bothRefuse(trans.Request{Remove: []string{"nothing"}}, "*solve.NotFoundError, exit code 4")
	w.bothRefuse(trans.Request{Targets: []string{"a"}}, "*solve.UnsatisfiedError, exit code 4")
	w.bothRefuse(trans.Request{Targets: []string{"b"}}, "*solve.ArchError, exit code 4")
}

func TestContractIgnoreHoldAssume(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1", nil, ""}, spec{"b 1-1 depends=c", nil, ""}, spec{"c 1-1", nil, ""})
	w.both(trans.Request{Targets: []string{"a"}})
	w.publish(spec{"a 2-1", nil, ""}, spec{"b 1-1 depends=c", nil, ""}, spec{"c 1-1", nil, ""})
	w.env = func(e *trans.Env) { e.IgnorePkg, e.HoldPkg = []string{"a*"}, []string{"a"} }
	w.both(trans.Request{SysUpgrade: true})
	w.bothRefuse(trans.Request{Remove: []string{"a"}}, "*solve.HoldError, exit code 4")
	w.env = nil
	w.both(trans.Request{SysUpgrade: true})
	w.both(trans.Request{Targets: []string{"b"}, Assume: []string{"c"}})
}

func TestContractFileConflicts(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1", one("etc/conf", "a"), ""}, spec{"b 1-1", one("etc/conf", "b"), ""}, spec{"c 1-1", one("etc/mine", "c"), ""})
	const kind = "*trans.FileConflictError, exit code 4"
	w.bothRefuse(trans.Request{Targets: []string{"a", "b"}}, kind)
	w.both(trans.Request{Targets: []string{"a"}})
	w.bothRefuse(trans.Request{Targets: []string{"b"}}, kind)
	w.write("etc/mine", "a person's")
	w.bothRefuse(trans.Request{Targets: []string{"c"}}, kind)
	w.holds("etc/mine", "a person's")
	w.both(trans.Request{Targets: []string{"c"}, Options: trans.Options{Overwrite: []string{"etc/mine"}}})
	w.holds("etc/mine", "c")
}

func TestContractBackups(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1 backup=etc/a,etc/b", map[string]string{"etc/a": "a1", "etc/b": "b1"}, ""})
	w.both(trans.Request{Targets: []string{"a"}})
	w.write("etc/a", "mine")
	w.publish(spec{"a 2-1 backup=etc/a,etc/b", map[string]string{"etc/a": "a2", "etc/b": "b2", "etc/no": "n"}, ""})
	w.env = func(e *trans.Env) { e.NoExtract = []string{"etc/no"} }
	w.both(trans.Request{SysUpgrade: true})
	w.holds("etc/a", "mine")
	w.holds("etc/a.pacnew", "a2")
	w.holds("etc/b", "b2")
	for i, o := range w.last {
		if !slices.ContainsFunc(o.Events, func(e trans.Event) bool { return e.Kind == trans.EventPacnew && e.Path == "etc/a.pacnew" }) {
			t.Errorf("engine %d told of no etc/a.pacnew: %+v", i, o.Events)
		}
	}
	w.both(trans.Request{Remove: []string{"a"}})
	w.holds("etc/a.pacsave", "mine")
}

const hook = `[Trigger]
Operation = Install
Operation = Upgrade
Operation = Remove
Type = Path
Target = usr/share/app/*
[Action]
Description = Note what changed
When = PostTransaction
Exec = /bin/sh -c 'busybox sort >> /hooked'
NeedsTargets
`

const scriptlets = `post_install() { echo "installed $1"; echo "install $1" >> /ran; }
pre_upgrade() { echo "pre_upgrade $1 $2" >> /ran; }
post_upgrade() { echo "upgrade $1 $2" >> /ran; }
pre_remove() { echo "remove $1" >> /ran; }
`

func TestContractScriptletsAndHooks(t *testing.T) {
	w := newWorld(t)
	app := func(version, file string) spec {
		return spec{"app " + version + " depends=system", map[string]string{"usr/": "", "usr/share/": "", "usr/share/app/": "",
			"usr/share/app/" + file: file, "usr/share/libalpm/": "", "usr/share/libalpm/hooks/": "", "usr/share/libalpm/hooks/app.hook": hook}, scriptlets}
	}
	w.publish(system(t), app("1-1", "one"))
	w.both(trans.Request{Targets: []string{"system"}})
	w.both(trans.Request{Targets: []string{"app"}})
	w.holds("ran", "install 1-1\n")
	for i, o := range w.last {
		if !slices.ContainsFunc(o.Events, func(e trans.Event) bool {
			return e.Kind == trans.EventOutput && e.Name == "app" && e.Text == "installed 1-1"
		}) {
			t.Errorf("engine %d did not tell what the scriptlet said: %+v", i, o.Events)
		}
	}
	w.publish(system(t), app("2-1", "two"))
	w.both(trans.Request{SysUpgrade: true})
	w.holds("ran", "install 1-1\npre_upgrade 2-1 1-1\nupgrade 2-1 1-1\n")
	w.both(trans.Request{Remove: []string{"app"}})
	w.both(trans.Request{Targets: []string{"app"}, Options: trans.Options{NoScriptlet: true, NoHooks: true}})
}

func TestContractFiles(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"lib 1-1", nil, ""})
	file := spec{"app 1-1 depends=lib", one("usr/app", "app"), ""}.build(t, w.dir)
	w.both(trans.Request{Files: []string{file}})
	w.holds("usr/app", "app")
	w.both(trans.Request{Remove: []string{"app"}, Options: trans.Options{DBOnly: true}})
	w.holds("usr/app", "app")
}
