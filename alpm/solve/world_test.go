// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/syncdb"
)

// pkg reads "name 1.0 depends=a,b>=2 provides=c=1 reason=depend".
func pkg(line string) *desc.Package {
	f := strings.Fields(line)
	p := &desc.Package{Name: f[0], Version: f[1], Arch: "any"}
	for _, kv := range f[2:] {
		key, value, _ := strings.Cut(kv, "=")
		list := strings.Split(value, ",")
		switch key {
		case "depends":
			p.Depends = list
		case "optdepends":
			p.OptDepends = list
		case "provides":
			p.Provides = list
		case "conflicts":
			p.Conflicts = list
		case "replaces":
			p.Replaces = list
		case "groups":
			p.Groups = list
		case "arch":
			p.Arch = value
		case "reason":
			if value == "depend" {
				p.Reason = desc.Depend
			}
		default:
			panic("unknown key " + key)
		}
	}
	return p
}

// world reads lines of packages below headings "core:" or "local:".
func world(text string) Universe {
	var u Universe
	where, lists := "", map[string][]*desc.Package{}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasSuffix(line, ":"):
			where = strings.TrimSuffix(line, ":")
			if where != "local" {
				u.Repos = append(u.Repos, Repo{Name: where})
			}
		case where == "local":
			u.Installed = append(u.Installed, pkg(line))
		default:
			lists[where] = append(lists[where], pkg(line))
		}
	}
	for i := range u.Repos {
		u.Repos[i].DB = syncdb.New(u.Repos[i].Name, lists[u.Repos[i].Name])
	}
	return u
}

// show writes a solution as "+core/a-1 explicit -b-2 replaced".
func show(s *Solution) string {
	var out []string
	for _, rm := range s.Remove {
		out = append(out, fmt.Sprintf("-%s-%s:%s", rm.Package.Name, rm.Package.Version, rm.Cause))
	}
	for _, in := range s.Install {
		sign := "+"
		if in.Old != nil {
			sign = "^"
		}
		mark := ""
		if in.Reason == desc.Depend {
			mark = ":dep"
		}
		out = append(out, fmt.Sprintf("%s%s/%s-%s%s", sign, in.Repo, in.Package.Name, in.Package.Version, mark))
	}
	return strings.Join(out, " ")
}

func yes(Question) int { return Yes }

type solveCase struct {
	name  string
	world string
	req   Request
	tune  func(*Universe)
	want  string // show of the solution
	err   string // part of the error instead
}

func runCases(t *testing.T, cases []solveCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := world(c.world)
			if c.tune != nil {
				c.tune(&u)
			}
			got, err := Solve(u, c.req)
			switch {
			case c.err != "":
				if err == nil {
					t.Fatalf("got %s, want an error with %q", show(got), c.err)
				}
				if !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got error %q, want one with %q", err, c.err)
				}
				if code, ok := err.(interface{ ExitCode() int }); !ok || code.ExitCode() != 4 {
					t.Fatalf("%T has no exit code 4", err)
				}
			case err != nil:
				t.Fatal(err)
			case show(got) != c.want:
				t.Fatalf("\n got %s\nwant %s", show(got), c.want)
			}
		})
	}
}
