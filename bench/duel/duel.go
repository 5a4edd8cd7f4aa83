// SPDX-License-Identifier: GPL-3.0-or-later

// Package duel measures processes against each other: each is run to its
// end, in turn with its peer, and the medians are compared.
package duel

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/rastos/rastos/bench/figure"
)

// Usage is what one process took, its children included.
type Usage struct {
	Wall   time.Duration
	Sync   time.Duration // flushing the file system afterwards
	CPU    time.Duration
	Memory int64 // bytes, the most that was resident at once
}

// Seconds are those of the clock on the wall.
func (u Usage) Seconds() float64 { return (u.Wall + u.Sync).Seconds() }

// Megabytes are those of the memory.
func (u Usage) Megabytes() float64 { return float64(u.Memory) / (1 << 20) }

// Median of what the measurements give.
func Median(list []Usage, of func(Usage) float64) float64 {
	values := make([]float64, len(list))
	for i, u := range list {
		values[i] = of(u)
	}
	return figure.Median(values)
}

// Round keeps what a figure is good for.
func Round(v float64) float64 { return math.Round(v*1000) / 1000 }

// Measure runs a program to its end, before everything else that wants the
// processors. Its output is shown only if it fails.
func Measure(ctx context.Context, argv ...string) (Usage, error) {
	u, _, err := Output(ctx, argv...)
	return u, err
}

// forgetMemory takes this program's own use of memory back: that of a child
// counts from what its parent had when it started.
func forgetMemory() error {
	debug.FreeOSMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // proc(5): resets the peak
}

// Output is Measure, with what the program writes to standard output.
func Output(ctx context.Context, argv ...string) (Usage, []byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := forgetMemory(); err != nil {
		return Usage{}, nil, err
	}
	start := time.Now()
	err := cmd.Start()
	if err == nil {
		prefer(cmd.Process.Pid)
		err = cmd.Wait()
	}
	u := Usage{Wall: time.Since(start)}
	if err != nil {
		return u, nil, fmt.Errorf("%s: %w\n%s%s", argv[0], err, Tail(out.Bytes()), Tail(errs.Bytes()))
	}
	ru := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	u.CPU = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	u.Memory = ru.Maxrss << 10
	return u, out.Bytes(), nil
}

// prefer gives a session priority over others. Without it, the load that a
// machine happens to have decides on the outcome more than the programs do. A
// kernel without this measures all the same.
func prefer(session int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", session), []byte("-20"), 0)
}

// Tail is the end of an output, where the error is.
func Tail(out []byte) []byte {
	const most = 4000
	if len(out) > most {
		out = out[len(out)-most:]
	}
	return out
}

// Turns calls ours and the peer's in turn; who begins changes with each run, so
// that neither always finds what the other left in caches.
func Turns(runs int, ours, peers func(run int) error) error {
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
