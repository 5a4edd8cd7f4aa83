// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/host/run"
)

// packageEngine is what carries a story's commands out.
type packageEngine interface {
	Prepare(ctx context.Context, env trans.Env, req trans.Request) (*trans.Plan, error)
	Run(ctx context.Context, env trans.Env, plan *trans.Plan, events trans.Events) error
}

// direct is the engine as it writes nodes and images, without a journal: what
// it leaves is compared. It has nothing to say.
func direct(ctx context.Context, argv []string) (outcome, error) {
	return by(ctx, trans.Native{}, argv)
}

func by(ctx context.Context, engine packageEngine, argv []string) (outcome, error) {
	r := &reader{}
	r.read(argv[1:])
	if r.op == "D" {
		o, err := ours(ctx, argv)
		return outcome{code: o.code}, err
	}
	c, err := conf.Read(conf.OS{}, r.config, conf.Base{Machine: "x86_64"})
	if err == nil {
		err = c.Complete()
	}
	if err != nil {
		return outcome{}, err
	}
	machine := &flow.Machine{Geteuid: os.Geteuid, Chroot: run.InRoot{}, Now: time.Now}
	env, err := machine.ConfEnv(c)(c.RootDir, "")
	if err != nil {
		return outcome{}, err
	}
	env.Durable = false
	env.IgnorePkg, env.IgnoreGroup = append(env.IgnorePkg, r.ignore...), append(env.IgnoreGroup, r.ignoreGroup...)
	if r.wrong || r.req.AsDeps && r.req.AsExplicit || r.req.NoSave && r.req.DBOnly {
		return outcome{code: 1}, nil
	}
	plan, err := engine.Prepare(ctx, env, r.request())
	if err == nil && len(plan.Install)+len(plan.Remove) > 0 {
		err = engine.Run(ctx, env, plan, nil)
	}
	if err != nil {
		return outcome{err: err.Error(), code: 1}, nil
	}
	return outcome{}, nil
}

// reader reads what a story writes of pacman's command line.
type reader struct {
	req                 trans.Request
	op, config          string
	targets             []string
	ignore, ignoreGroup []string
	ask                 int
	wrong               bool // pacman refuses the command line
}

func (r *reader) read(words []string) {
	for i := 0; i < len(words); i++ {
		w := words[i]
		value := func() string {
			i++
			return word(words, i)
		}
		switch w {
		case "--config":
			r.config = value()
		case "--ask":
			r.ask, _ = strconv.Atoi(value())
		case "--assume-installed":
			v := value()
			r.req.Assume = append(r.req.Assume, v)
			r.wrong = r.wrong || strings.ContainsAny(v, "<>")
		case "--overwrite":
			r.req.Overwrite = append(r.req.Overwrite, value())
		case "--ignore":
			r.ignore = append(r.ignore, value())
		case "--ignoregroup":
			r.ignoreGroup = append(r.ignoreGroup, value())
		case "--dbonly":
			r.req.DBOnly, r.req.NoScriptlet = true, true
		case "--noscriptlet":
			r.req.NoScriptlet = true
		case "--needed":
			r.req.Needed = true
		case "--asdeps":
			r.req.AsDeps = true
		case "--asexplicit":
			r.req.AsExplicit = true
		case "--noconfirm":
		default:
			r.other(w)
		}
	}
}

// other is a target or a cluster of letters.
func (r *reader) other(w string) {
	letters, ok := strings.CutPrefix(w, "-")
	if !ok {
		r.targets = append(r.targets, w)
		return
	}
	q := &r.req
	for _, l := range letters {
		switch {
		case strings.ContainsRune("SURD", l):
			r.op = string(l)
		case l == 'u' && r.op == "S":
			q.Downgrade, q.SysUpgrade = q.SysUpgrade, true
		case l == 'u':
			q.Unneeded = true
		case l == 's':
			q.RecursiveAll, q.Recursive = q.Recursive, true
		case l == 'c':
			q.Cascade = true
		case l == 'n':
			q.NoSave = true
		case l == 'd':
			q.NoDeps, q.NoVersions = q.NoVersions, true
		}
	}
}

func (r *reader) request() trans.Request {
	req := r.req
	switch r.op {
	case "S":
		req.Targets = r.targets
	case "U":
		req.Files = r.targets
	case "R":
		req.Remove = r.targets
	}
	// --ask turns round what nobody is asked.
	bits := map[solve.QuestionKind]int{solve.QuestionIgnored: 1, solve.QuestionReplace: 2, solve.QuestionConflict: 4, solve.QuestionSkip: 16}
	req.Answer = func(q solve.Question) int {
		if r.ask&bits[q.Kind] != 0 {
			return solve.Yes + solve.No - q.Default
		}
		return q.Default
	}
	return req
}
