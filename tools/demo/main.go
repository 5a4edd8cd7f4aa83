// SPDX-License-Identifier: GPL-3.0-or-later

// Command demo plays the life of a rastOS machine, unattended: it builds an
// image from a manifest, boots it, upgrades a package into a new node, breaks
// one on purpose, watches the machine fall back, and rolls back. At the end it
// prints what happened and how long each step took. A step that does not end as
// it should makes it exit with 1.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/testkit/lab"
	"github.com/rastos/rastos/internal/vm"
)

func main() {
	run.MaybeChild()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo(ctx); err != nil {
		report.PrintError(os.Stderr, report.Style{}, err)
		os.Exit(1)
	}
}

type step struct {
	name string
	do   func(ctx context.Context) (outcome string, err error)
}

type show struct {
	*lab.Lab
	table *report.Table
}

func demo(ctx context.Context) (err error) {
	rastos := flag.String("rastos", "build/rastos", "the built binary; rastos-init lies beside it")
	base := flag.String("base", "build/repo/demo", "folder of the repository made by tools/debrepo")
	name := flag.String("name", "demo", "name of that repository")
	list := flag.String("packages", "base linux systemd-boot-efi openssh-server pacman-package-manager", "the machine's packages")
	dir := flag.String("dir", "build/demo", "working folder")
	verbose := flag.Bool("v", false, "show the guest's console")
	flag.Parse()
	if err := os.RemoveAll(*dir); err != nil {
		return err
	}
	console := io.Discard
	if *verbose {
		console = os.Stderr
	}
	l, err := lab.New(ctx, lab.Config{
		Dir: *dir, Rastos: *rastos, Base: *base, BaseDB: *name, List: strings.Fields(*list), Log: os.Stderr, Serial: console,
		Host: vm.NewHost(testkit.StartProgram, rand.Reader), Formats: []string{"qcow2"},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	s := &show{Lab: l, table: report.NewTable("#", "STEP", "WHAT HAPPENED", "#SECONDS")}
	return s.play(ctx)
}

// play runs the steps in order; after the first that fails, the table shows how
// far it came.
func (s *show) play(ctx context.Context) error {
	began := time.Now()
	var failed error
	for i, st := range s.steps() {
		fmt.Fprintf(os.Stderr, "\n== %d. %s\n", i+1, st.name)
		start := time.Now()
		limit, cancel := context.WithTimeout(ctx, 20*time.Minute)
		outcome, err := st.do(limit)
		cancel()
		if err != nil {
			outcome, failed = "FAILED", fmt.Errorf("step %d, %s: %w", i+1, st.name, err)
		}
		s.table.Row(fmt.Sprint(i+1), st.name, outcome, fmt.Sprintf("%.1f", time.Since(start).Seconds()))
		if failed != nil {
			break
		}
	}
	s.table.Row("", "in all", "", fmt.Sprintf("%.1f", time.Since(began).Seconds()))
	fmt.Println()
	return errors.Join(failed, s.table.Print(os.Stdout, report.Style{}))
}

func (s *show) steps() []step {
	return []step{
		{"build the image", s.build},
		{"boot it", s.firstBoot},
		{"upgrade hello to version 2", s.upgrade},
		{"reboot into the new node", s.reboot},
		{"upgrade to a version that is sick", s.breakIt},
		{"reboot, fail three times, fall back", s.fallBack},
		{"roll back to version 1", s.rollback},
		{"reboot into the old node", s.rolledBack},
		{"power off", s.powerOff},
	}
}

func (s *show) build(ctx context.Context) (string, error) {
	if err := s.BuildImage(ctx); err != nil {
		return "", err
	}
	info, err := os.Stat(s.Image("qcow2"))
	if err != nil {
		return "", err
	}
	return report.Size(info.Size()) + " qcow2", nil
}

func (s *show) firstBoot(ctx context.Context) (string, error) {
	if err := s.Boot(ctx); err != nil {
		return "", err
	}
	return s.expect(ctx, 1, "1")
}

// expect waits for a good deployment that runs a version of hello.
func (s *show) expect(ctx context.Context, deployment int, hello string) (string, error) {
	st, err := s.Settle(ctx, func(st flow.Status) bool { return st.Booted.Number == deployment })
	if err != nil {
		return "", err
	}
	got, err := s.Guest(ctx, "cat", "/run/hello")
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(got) != hello {
		return "", fmt.Errorf("hello is %q, not %q", strings.TrimSpace(got), hello)
	}
	if _, err := s.Guest(ctx, "rastos", "status"); err != nil {
		return "", err
	}
	return fmt.Sprintf("deployment %d, node %d is %s; hello is %s", deployment, st.Booted.Node, st.Booted.Shown, hello), nil
}

func (s *show) upgradeTo(ctx context.Context, h lab.Hello) (string, error) {
	if err := s.Publish(ctx, h); err != nil {
		return "", err
	}
	if _, err := s.Guest(ctx, "rastos", "upgrade", "--yes"); err != nil {
		return "", err
	}
	st, err := s.Status(ctx)
	if err != nil {
		return "", err
	}
	if st.Next == st.Booted.Number {
		return "", errors.New("nothing new is armed for the next boot")
	}
	return fmt.Sprintf("node %d beside the running node %d, armed", st.Deployments[0].Node, st.Booted.Node), nil
}

func (s *show) upgrade(ctx context.Context) (string, error) {
	return s.upgradeTo(ctx, lab.Hello{Version: "2"})
}

func (s *show) reboot(ctx context.Context) (string, error) {
	if err := s.Reboot(ctx); err != nil {
		return "", err
	}
	return s.expect(ctx, 2, "2")
}

func (s *show) breakIt(ctx context.Context) (string, error) {
	return s.upgradeTo(ctx, lab.Hello{Version: "3", Sick: true})
}

func (s *show) fallBack(ctx context.Context) (string, error) {
	if err := s.Reboot(ctx); err != nil {
		return "", err
	}
	st, err := s.Settle(ctx, func(st flow.Status) bool { return st.Fallback != "" })
	if err != nil {
		return "", err
	}
	if _, err := s.Guest(ctx, "rastos", "status"); err != nil {
		return "", err
	}
	if st.Booted.Number != 2 {
		return "", fmt.Errorf("deployment %d runs, not 2", st.Booted.Number)
	}
	return "back on deployment 2: " + st.Fallback, nil
}

func (s *show) rollback(ctx context.Context) (string, error) {
	out, err := s.Guest(ctx, "rastos", "rollback", "--to", "1", "--yes")
	return strings.TrimSpace(out), err
}

func (s *show) rolledBack(ctx context.Context) (string, error) {
	if err := s.Reboot(ctx); err != nil {
		return "", err
	}
	return s.expect(ctx, 4, "1")
}

func (s *show) powerOff(ctx context.Context) (string, error) {
	cpu := s.Machine.CPUTime()
	if err := s.Machine.Shutdown(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("the machine took %.0f s of CPU in all", cpu.Seconds()), nil
}
