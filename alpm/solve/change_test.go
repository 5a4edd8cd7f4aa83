// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import "testing"

func TestConflicts(t *testing.T) {
	runCases(t, []solveCase{
		{name: "targets, one provides the other", world: `
			core:
			a 1 conflicts=b provides=b
			b 1`,
			req: Request{Targets: []string{"a", "b"}}, want: "+core/a-1"},
		{name: "targets, no way out", world: `
			core:
			a 1 conflicts=b
			b 1`,
			req: Request{Targets: []string{"a", "b"}}, err: "a and b conflict"},
		{name: "installed, default no", world: `
			core:
			a 1 conflicts=b
			local:
			b 1`,
			req: Request{Targets: []string{"a"}}, err: "b is installed"},
		{name: "installed, the other direction, through a provide", world: `
			core:
			a 1 provides=x
			local:
			b 1 conflicts=x`,
			req: Request{Targets: []string{"a"}}, err: "a and b conflict over x"},
		{name: "installed, allowed", world: `
			core:
			a 1 conflicts=b
			local:
			b 1`,
			req: Request{Targets: []string{"a"}, Answer: yes}, want: "-b-1:conflict +core/a-1"},
		{name: "no conflict with what the upgrade itself changes", world: `
			core:
			a 2 conflicts=b<2
			b 2
			local:
			a 1
			b 1`,
			req: Request{SysUpgrade: true}, want: "^core/a-2 ^core/b-2"},
		{name: "a package does not conflict with itself", world: `
			core:
			a 1 provides=x conflicts=x`,
			req: Request{Targets: []string{"a"}}, want: "+core/a-1"},
		{name: "removing the conflicting one breaks another", world: `
			core:
			a 1 conflicts=b
			local:
			b 1
			c 1 depends=b`,
			req: Request{Targets: []string{"a"}, Answer: yes}, err: "c 1 is installed and needs b"},
	})
}

func TestSysUpgrade(t *testing.T) {
	runCases(t, []solveCase{
		{name: "newer, same, older", world: `
			core:
			a 2
			b 1
			c 1
			local:
			a 1 reason=depend
			b 1
			c 2
			d 1`,
			req: Request{SysUpgrade: true}, want: "^core/a-2:dep"},
		{name: "downgrade when asked", world: `
			core:
			c 1
			local:
			c 2`,
			req: Request{SysUpgrade: true, Downgrade: true}, want: "^core/c-1"},
		{name: "the first repository that has it decides", world: `
			core:
			a 1
			extra:
			a 2
			local:
			a 1`,
			req: Request{SysUpgrade: true}, want: ""},
		{name: "replacement inherits the reason", world: `
			core:
			new 1 replaces=old conflicts=old
			local:
			old 1 reason=depend`,
			req: Request{SysUpgrade: true}, want: "-old-1:replaced +core/new-1:dep"},
		{name: "one explicit replaced package makes it explicit", world: `
			core:
			new 1 replaces=old,older
			local:
			old 1 reason=depend
			older 1`,
			req: Request{SysUpgrade: true}, want: "-older-1:replaced -old-1:replaced +core/new-1"},
		{name: "replaces heeds versions", world: `
			core:
			new 1 replaces=old<1
			local:
			old 1`,
			req: Request{SysUpgrade: true}, want: ""},
		{name: "replaces is not met by a provide", world: `
			core:
			new 1 replaces=virtual
			local:
			old 1 provides=virtual`,
			req: Request{SysUpgrade: true}, want: ""},
		{name: "replaces goes before the literal package", world: `
			core:
			new 1 replaces=old
			old 2
			local:
			old 1`,
			req: Request{SysUpgrade: true}, want: "-old-1:replaced +core/new-1"},
		{name: "declined", world: `
			core:
			new 1 replaces=old
			old 2
			local:
			old 1`,
			req:  Request{SysUpgrade: true, Answer: func(Question) int { return No }},
			want: "^core/old-2"},
		{name: "ignored", world: `
			core:
			a 2
			b 2
			local:
			a 1
			b 1`,
			req: Request{SysUpgrade: true}, tune: func(u *Universe) { u.IgnorePkg = []string{"a"} }, want: "^core/b-2"},
		{name: "replaces plays no part without a system upgrade", world: `
			core:
			new 1 replaces=old
			local:
			old 1`,
			req: Request{Targets: []string{"new"}}, want: "+core/new-1"},
		{name: "usage", world: `
			core:
			a 2
			local:
			a 1`,
			req: Request{SysUpgrade: true}, tune: func(u *Universe) { u.Repos[0].Usage = UseInstall }, want: ""},
		{name: "an upgrade pulls a new dependency", world: `
			core:
			a 2 depends=n
			n 1
			local:
			a 1`,
			req: Request{SysUpgrade: true}, want: "+core/n-1:dep ^core/a-2"},
		{name: "the replacement provides what others need", world: `
			core:
			new 2 replaces=old provides=old=2
			local:
			old 1
			app 1 depends=old`,
			req: Request{SysUpgrade: true}, want: "-old-1:replaced +core/new-2"},
	})
}

func TestRemove(t *testing.T) {
	const w = `
		local:
		app 1 depends=lib
		lib 1 depends=base reason=depend
		base 1 reason=depend
		tool 1 depends=base optdepends=app:more`
	runCases(t, []solveCase{
		{name: "leaf", world: w, req: Request{Remove: []string{"app"}}, want: "-app-1:requested"},
		{name: "needed by another", world: w, req: Request{Remove: []string{"lib"}}, err: "app 1 is installed and needs lib"},
		{name: "both", world: w, req: Request{Remove: []string{"lib", "app"}}, want: "-app-1:requested -lib-1:requested"},
		{name: "cascade", world: w, req: Request{Remove: []string{"lib"}, Cascade: true}, want: "-app-1:cascade -lib-1:requested"},
		{name: "recursive keeps what others need", world: w, req: Request{Remove: []string{"app"}, Recursive: true},
			want: "-app-1:requested -lib-1:unneeded"},
		{name: "recursive with everything", world: w, req: Request{Remove: []string{"app", "tool"}, Recursive: true},
			want: "-tool-1:requested -app-1:requested -lib-1:unneeded -base-1:unneeded"},
		{name: "cascade, then recursive", world: w, req: Request{Remove: []string{"lib"}, Cascade: true, Recursive: true},
			want: "-app-1:cascade -lib-1:requested"},
		{name: "unneeded", world: w, req: Request{Remove: []string{"lib", "tool"}, Unneeded: true}, want: "-tool-1:requested"},
		{name: "no dependencies", world: w, req: Request{Remove: []string{"lib"}, NoDeps: true}, want: "-lib-1:requested"},
		{name: "unknown", world: w, req: Request{Remove: []string{"appp"}}, err: "target not found"},
		{name: "held", world: w, req: Request{Remove: []string{"app"}}, tune: func(u *Universe) { u.HoldPkg = []string{"app"} }, err: "held"},
		{name: "a circle goes as a whole", world: `
			local:
			a 1 depends=b
			b 1 depends=c reason=depend
			c 1 depends=b reason=depend`,
			req: Request{Remove: []string{"a"}, Recursive: true}, want: "-a-1:requested -b-1:unneeded -c-1:unneeded"},
		{name: "explicit packages stay", world: `
			local:
			a 1 depends=b
			b 1`,
			req: Request{Remove: []string{"a"}, Recursive: true}, want: "-a-1:requested"},
		{name: "unless all are meant", world: `
			local:
			a 1 depends=b
			b 1`,
			req: Request{Remove: []string{"a"}, RecursiveAll: true}, want: "-a-1:requested -b-1:unneeded"},
		{name: "removal and install together", world: `
			core:
			n 1 provides=lib
			local:
			app 1 depends=lib
			lib 1`,
			req: Request{Remove: []string{"lib"}, Targets: []string{"n"}}, want: "-lib-1:requested +core/n-1"},
		{name: "what a new package needs is not swept", world: `
			core:
			n 1 depends=base
			local:
			a 1 depends=base
			base 1 reason=depend`,
			req: Request{Remove: []string{"a"}, Recursive: true, Targets: []string{"n"}}, want: "-a-1:requested +core/n-1"},
	})
}
