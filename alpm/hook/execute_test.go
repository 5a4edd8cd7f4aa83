// SPDX-License-Identifier: GPL-3.0-or-later

package hook_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/hook"
)

// recorder is a Chroot whose programs are named after their exit codes.
type recorder struct {
	ran []string
	ctx context.CancelFunc
}

func (r *recorder) Run(_ context.Context, root string, argv []string, stdin io.Reader, _ io.Writer) (int, error) {
	in := "no stdin"
	if stdin != nil {
		b, _ := io.ReadAll(stdin)
		in = string(b)
	}
	r.ran = append(r.ran, root+" "+strings.Join(argv, " ")+" "+in)
	switch argv[0] {
	case "fail":
		return 3, nil
	case "missing":
		return -1, errors.New("no such program")
	case "interrupt":
		r.ctx()
	}
	return 0, nil
}

func runOf(when hook.When, abort bool, argv ...string) hook.Run {
	return hook.Run{Hook: &hook.Hook{Name: argv[0] + ".hook", When: when, AbortOnFail: abort, Exec: argv}}
}

func TestExecuteGoesOnAfterFailures(t *testing.T) {
	r := &recorder{}
	e := hook.Executor{Chroot: r, Root: "/r", Satisfied: func(dep string) bool { return dep == "sh" }}
	needs := runOf(hook.PostTransaction, false, "ok", "1")
	needs.Hook.NeedsTargets, needs.Hook.Depends, needs.Targets = true, []string{"sh"}, []string{"usr/a", "usr/b"}
	unmet := runOf(hook.PostTransaction, false, "never")
	unmet.Hook.Depends = []string{"sh", "absent"}
	outcomes, err := e.Execute(t.Context(), []hook.Run{runOf(hook.PostTransaction, true, "fail"), runOf(hook.PostTransaction, false, "missing"), unmet, needs})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.ran, "; "); got != "/r fail no stdin; /r missing no stdin; /r ok 1 usr/a\nusr/b\n" {
		t.Errorf("ran %q", got)
	}
	if len(outcomes) != 4 || outcomes[0].Code != 3 || outcomes[1].Err == nil || !errors.Is(outcomes[2].Err, hook.ErrDependency) || outcomes[3].Failed() {
		t.Errorf("outcomes %+v", outcomes)
	}
}

func TestAbortOnFailStopsBeforeTheTransaction(t *testing.T) {
	for _, first := range []string{"fail", "missing"} {
		r := &recorder{}
		_, err := hook.Executor{Chroot: r}.Execute(t.Context(), []hook.Run{
			runOf(hook.PreTransaction, false, "fail"), runOf(hook.PreTransaction, true, first), runOf(hook.PreTransaction, false, "ok"),
		})
		var ae *hook.AbortError
		if !errors.As(err, &ae) || ae.Hint() == "" || !strings.Contains(err.Error(), first+".hook") || len(r.ran) != 2 {
			t.Errorf("%s: error %v, ran %v", first, err, r.ran)
		}
	}
}

func TestInterruptEndsTheRow(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := &recorder{ctx: cancel}
	_, err := hook.Executor{Chroot: r}.Execute(ctx, []hook.Run{runOf(hook.PostTransaction, false, "interrupt"), runOf(hook.PostTransaction, false, "ok")})
	if !errors.Is(err, context.Canceled) || len(r.ran) != 1 {
		t.Errorf("error %v, ran %v", err, r.ran)
	}
}

func TestNetworkOnlyForHooksThatAskForIt(t *testing.T) {
	closed, open := &recorder{}, &recorder{}
	with := runOf(hook.PostTransaction, false, "with")
	with.Hook.Network = true
	_, err := hook.Executor{Chroot: closed, Networked: open}.Execute(t.Context(), []hook.Run{with, runOf(hook.PostTransaction, false, "without")})
	if err != nil || len(open.ran) != 1 || !strings.Contains(open.ran[0], "with ") || len(closed.ran) != 1 {
		t.Errorf("%v: with %v, without %v", err, open.ran, closed.ran)
	}
}
