// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/rastos/rastos/internal/agent"
	"github.com/rastos/rastos/internal/host/run"
)

// serveAgent answers the host through the virtio port until ctx ends.
func serveAgent(ctx context.Context, root fs.FS) error {
	name, err := findPort(root)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open the host's port: %w", err)
	}
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { _ = f.Close() })
	defer stop()
	boot, err := fs.ReadFile(root, "proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Errorf("read the boot's id: %w", err)
	}
	server := &agent.Server{
		Run:  runCommand,
		Info: agent.Info{Boot: strings.TrimSpace(string(boot)), Version: version},
	}
	err = server.Serve(ctx, &port{f: f, ctx: ctx})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// findPort finds the port's device. The link that udev makes may not be there:
// sysfs knows the name of each port.
func findPort(root fs.FS) (string, error) {
	link := "dev/virtio-ports/" + agent.PortName
	if _, err := fs.Stat(root, link); err == nil {
		return "/" + link, nil
	}
	const class = "sys/class/virtio-ports"
	ports, _ := fs.ReadDir(root, class)
	for _, p := range ports {
		name, err := fs.ReadFile(root, path.Join(class, p.Name(), "name"))
		if err == nil && strings.TrimSpace(string(name)) == agent.PortName {
			return "/dev/" + p.Name(), nil
		}
	}
	return "", fmt.Errorf("this machine has no virtio port %s", agent.PortName)
}

// idle is how often a port is looked at that nobody has connected to.
const idle = 50 * time.Millisecond

// port is the stream to the host. Linux reads the end of the file from a port
// that the host has not opened (any more): for us it only means waiting.
type port struct {
	f   *os.File
	ctx context.Context
}

func (p *port) Read(buf []byte) (int, error) {
	for {
		n, err := p.f.Read(buf)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		select {
		case <-p.ctx.Done():
			return 0, context.Cause(p.ctx)
		case <-time.After(idle):
		}
	}
}

func (p *port) Write(buf []byte) (int, error) { return p.f.Write(buf) }

// commandGrace is the time between TERM and KILL; the host waits a little longer.
const commandGrace = time.Second

// runCommand runs a command of the host's.
func runCommand(ctx context.Context, cmd agent.Command) (agent.Exit, error) {
	c := run.Command{Argv: cmd.Argv, Dir: cmd.Dir, Env: environment(cmd.Env), Stdout: cmd.Stdout, Stderr: cmd.Stderr}
	if cmd.Stdin != nil {
		// A pipe of our own: a command that ends without reading its input is
		// not waited for until the host has sent all of it.
		r, w, err := os.Pipe()
		if err != nil {
			return agent.Exit{}, fmt.Errorf("make a pipe: %w", err)
		}
		defer r.Close()
		c.Stdin = r
		go func() {
			defer w.Close()
			_, _ = io.Copy(w, cmd.Stdin)
		}()
	}
	res, err := run.Runner{KeepLocale: true, Grace: commandGrace}.Run(ctx, c)
	var code *run.ExitError
	switch {
	case err == nil || errors.As(err, &code):
	case ctx.Err() != nil && res.Code != 0:
	default:
		return agent.Exit{}, err
	}
	exit := agent.Exit{Code: res.Code}
	if res.Code > 128 {
		exit.Signal = res.Code - 128
	}
	return exit, nil
}

// environment completes what the host sent: a service has almost none.
func environment(env []string) []string {
	defaults := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	return append(defaults, env...)
}
