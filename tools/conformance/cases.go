// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// runnerSource is the program that runs cases.
//
//go:embed runner.py
var runnerSource []byte

// result is what the runner says of a case.
type result struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Command     string   `json:"command"`
	Exit        int      `json:"exit"`
	Passed      int      `json:"passed"`  // rules
	Failed      []string `json:"failed"`  // rules
	Skipped     string   `json:"skipped"` // why
	Error       string   `json:"error"`   // the case could not be run
	Expected    bool     `json:"expected"`
	Log         string   `json:"log"`
}

func (r result) ok() bool { return len(r.Failed) == 0 && r.Error == "" && r.Skipped == "" }

// runCases runs the cases, several at a time, and returns the results in the
// order of the cases.
func runCases(ctx context.Context, s *suite, program string, cases []string, workers int) ([]result, error) {
	work, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	runner := filepath.Join(work, "runner.py")
	if err := os.WriteFile(runner, runnerSource, 0o644); err != nil {
		return nil, err
	}
	// The binary is pacman by its name.
	pacman := filepath.Join(work, "pacman")
	if err := os.Symlink(program, pacman); err != nil {
		return nil, err
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return nil, fmt.Errorf("a static busybox is needed: %w", err)
	}
	results := make([]result, len(cases))
	next := make(chan int)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(next)
		for i := range cases {
			select {
			case next <- i:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for n := range workers {
		g.Go(func() error {
			root := filepath.Join(work, fmt.Sprintf("root%d", n))
			w := &worker{argv: []string{"python3", "-B", runner, s.dir, pacman, busybox, root}}
			defer w.stop()
			for i := range next {
				var err error
				if results[i], err = w.run(ctx, cases[i]); err != nil {
					return fmt.Errorf("case %s: %w", caseName(cases[i]), err)
				}
			}
			return nil
		})
	}
	return results, g.Wait()
}

// worker is one runner, which is started when it is needed.
type worker struct {
	argv []string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func (w *worker) run(ctx context.Context, file string) (result, error) {
	if w.cmd == nil {
		if err := w.start(ctx); err != nil {
			return result{}, err
		}
	}
	if _, err := io.WriteString(w.in, file+"\n"); err != nil {
		return result{}, err
	}
	line, err := w.out.ReadBytes('\n')
	if err != nil {
		if ctx.Err() != nil {
			return result{}, context.Cause(ctx)
		}
		w.stop()
		return result{}, fmt.Errorf("the runner ended: %w", err)
	}
	var r result
	err = json.Unmarshal(line, &r)
	return r, err
}

func (w *worker) start(ctx context.Context) error {
	w.cmd = exec.CommandContext(ctx, w.argv[0], w.argv[1:]...)
	w.cmd.Stderr = os.Stderr
	w.cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	// A group of its own: what a case leaves behind goes with it.
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	w.cmd.Cancel = func() error { return syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL) }
	w.cmd.WaitDelay = time.Second
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	w.out = bufio.NewReader(out)
	return w.cmd.Start()
}

func (w *worker) stop() {
	if w.cmd == nil {
		return
	}
	_ = w.in.Close()
	if err := w.cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL)
	}
	w.cmd = nil
}
