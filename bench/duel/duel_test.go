// SPDX-License-Identifier: GPL-3.0-or-later

package duel

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/bench/figure"
)

func TestTurns(t *testing.T) {
	var order []string
	note := func(who string) func(int) error {
		return func(int) error { order = append(order, who); return nil }
	}
	if err := Turns(3, note("ours"), note("peer")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, " "); got != "peer ours ours peer peer ours" {
		t.Errorf("turns: %s", got)
	}
	err := Turns(2, func(int) error { return os.ErrInvalid }, note("peer"))
	if err == nil {
		t.Error("a failed run was passed over")
	}
}

func TestMeasure(t *testing.T) {
	u, err := Measure(context.Background(), "sh", "-c", "sleep 0.1")
	if err != nil {
		t.Fatal(err)
	}
	if u.Wall < 100*time.Millisecond || u.CPU > u.Wall || u.Memory <= 0 {
		t.Errorf("measured %+v", u)
	}
	_, err = Measure(context.Background(), "sh", "-c", "echo the reason >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("a program that fails: %v", err)
	}
}

func TestVersus(t *testing.T) {
	b := &Board{Out: io.Discard, Figures: t.TempDir(), Command: "make it", Runs: 3}
	after := func(d time.Duration) func() (Usage, error) {
		return func() (Usage, error) { d += time.Second; return Usage{Wall: d, CPU: d}, nil }
	}
	ours, _, err := b.Versus("race", "tortoise 1", after(0), after(7*time.Second))
	if err != nil || len(ours) != 3 {
		t.Fatal(ours, err)
	}
	f, err := figure.Read(b.Figures, "race")
	if err != nil || f.Value != 4.5 || f.Ours != 2 || f.PeerValue != 9 || f.Peer != "tortoise 1" || f.Command != "make it" {
		t.Errorf("%+v, %v", f, err)
	}
	broken := errors.New("it fell")
	if _, _, err := b.Versus("race", "hare", after(0), func() (Usage, error) { return Usage{}, broken }); !errors.Is(err, broken) {
		t.Errorf("a peer that fails: %v", err)
	}
}
