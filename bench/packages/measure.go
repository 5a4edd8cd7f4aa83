// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/rastos/rastos/bench/figure"
)

// usage is what one process took, its children included.
type usage struct {
	wall   time.Duration
	sync   time.Duration // flushing the file system afterwards
	cpu    time.Duration
	memory int64 // bytes, the most that was resident at once
}

func (u usage) seconds() float64   { return (u.wall + u.sync).Seconds() }
func (u usage) megabytes() float64 { return float64(u.memory) / (1 << 20) }

func median(list []usage, of func(usage) float64) float64 {
	values := make([]float64, len(list))
	for i, u := range list {
		values[i] = of(u)
	}
	return figure.Median(values)
}

// round keeps what a figure is good for.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }

// measure runs a program to its end, before everything else that wants the
// processors. Its output is shown only if it fails.
func measure(ctx context.Context, argv ...string) (usage, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	start := time.Now()
	err := cmd.Start()
	if err == nil {
		prefer(cmd.Process.Pid)
		err = cmd.Wait()
	}
	u := usage{wall: time.Since(start)}
	if err != nil {
		return u, fmt.Errorf("%s: %w\n%s", argv[0], err, tail(out.Bytes()))
	}
	ru := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	u.cpu = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	u.memory = ru.Maxrss << 10
	return u, nil
}

// prefer gives a session priority over others. Without it, the load that a
// machine happens to have decides on the outcome more than the programs do. A
// kernel without this measures all the same.
func prefer(session int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", session), []byte("-20"), 0)
}

// tail is the end of an output, where the error is.
func tail(out []byte) []byte {
	const most = 4000
	if len(out) > most {
		out = out[len(out)-most:]
	}
	return out
}

// turns calls ours and the peer's in turn; who begins changes with each run, so
// that neither always finds what the other left in caches.
func turns(runs int, ours, peers func(run int) error) error {
	for i := range runs {
		first, second := peers, ours
		if i%2 == 1 {
			first, second = second, first
		}
		if err := first(i); err != nil {
			return err
		}
		if err := second(i); err != nil {
			return err
		}
	}
	return nil
}
