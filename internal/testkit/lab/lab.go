// SPDX-License-Identifier: GPL-3.0-or-later

// Package lab plays the life of a machine: a repository on a loopback server,
// an image made from a manifest, a virtual machine that runs it, upgrades that
// work and upgrades that do not. The demo shows it to people; the whole-machine
// tests assert on it. It uses the built rastos as a person would: by its
// command line, on the host and in the guest.
package lab

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/internal/agent"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/vm"
)

// guestHost is how QEMU's user network calls the host.
const guestHost = "10.0.2.2"

// Config says what a lab works with.
type Config struct {
	Dir     string    // working folder, made if need be
	Rastos  string    // the built binary; rastos-init lies beside it
	Base    string    // folder of a signed pacman repository with a whole system
	BaseDB  string    // its name
	List    []string  // packages of the machine
	Log     io.Writer // what the commands print; nil: dropped
	Serial  io.Writer // the guest's console; nil: kept for errors only
	Host    *vm.Host
	Formats []string // image formats; default raw
	Tries   int      // of a deployment; default 3
	Cmdline []string // more words for the kernel
}

// Lab is a machine's world.
type Lab struct {
	Config
	Machine *vm.Machine
	boot    agent.Info
	signer  *keyring.Signer
	server  *http.Server
	port    int
}

// New makes the folder, the site repository with version 1 of the service
// "hello", and starts the server. Close ends all of it.
func New(ctx context.Context, c Config) (*Lab, error) {
	for _, p := range []*string{&c.Dir, &c.Rastos, &c.Base} {
		var err error
		if *p, err = filepath.Abs(*p); err != nil {
			return nil, err
		}
	}
	l := &Lab{Config: c}
	if l.Log == nil {
		l.Log = io.Discard
	}
	l.Tries = cmp.Or(l.Tries, 3)
	if len(l.Formats) == 0 {
		l.Formats = []string{"raw"}
	}
	if err := os.MkdirAll(l.site(), 0o755); err != nil {
		return nil, err
	}
	if err := l.makeKey(); err != nil {
		return nil, err
	}
	if err := l.serve(); err != nil {
		return nil, err
	}
	if err := l.Publish(ctx, Hello{Version: "1"}); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close ends the machine and the server.
func (l *Lab) Close() error {
	if l.Machine != nil {
		l.Machine.Kill()
	}
	return l.server.Close()
}

func (l *Lab) site() string      { return filepath.Join(l.Dir, "site") }
func (l *Lab) keyFile() string   { return filepath.Join(l.Dir, "site.pub") }
func (l *Lab) manifest() string  { return filepath.Join(l.Dir, "rastos.toml") }
func (l *Lab) imageBase() string { return filepath.Join(l.Dir, "machine") }

// Image is the path of the image in one of the formats.
func (l *Lab) Image(format string) string { return l.imageBase() + "." + format }

func (l *Lab) makeKey() error {
	var err error
	// An emulated guest's clock lags behind: what is signed this very moment
	// would be from its future.
	past := func() time.Time { return time.Now().Add(-time.Hour) }
	if l.signer, err = keyring.GenerateKey("Site", "site@example.org", past().Add(-time.Hour), rand.Reader); err != nil {
		return err
	}
	l.signer.Now = past
	var pub bytes.Buffer
	if err := l.signer.WritePublic(&pub); err != nil {
		return err
	}
	return os.WriteFile(l.keyFile(), pub.Bytes(), 0o644)
}

// serve offers both repositories on a loopback port, which QEMU's user network
// shows to the guest.
func (l *Lab) serve() error {
	mux := http.NewServeMux()
	mux.Handle("/base/", http.StripPrefix("/base/", http.FileServer(http.Dir(l.Base))))
	mux.Handle("/site/", http.StripPrefix("/site/", http.FileServer(http.Dir(l.site()))))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.port = listener.Addr().(*net.TCPAddr).Port
	l.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = l.server.Serve(listener) }()
	return nil
}

// servers lists a repository's addresses: the first is the host's own, the
// second the same server seen from the guest.
func (l *Lab) servers(folder string) []string {
	return []string{
		fmt.Sprintf("http://127.0.0.1:%d/%s", l.port, folder),
		fmt.Sprintf("http://%s:%d/%s", guestHost, l.port, folder),
	}
}

// RunRastos runs the built binary on the host.
func (l *Lab) RunRastos(ctx context.Context, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, l.Rastos, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(l.Log, &errs)
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("rastos %s: %w\n%s", strings.Join(args, " "), err, last(errs.String(), 20))
	}
	return out.Bytes(), nil
}

func last(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// BuildImage writes the manifest and builds the image from it.
func (l *Lab) BuildImage(ctx context.Context) error {
	if err := os.WriteFile(l.manifest(), l.toml(), 0o644); err != nil {
		return err
	}
	_, err := l.RunRastos(ctx, "image", "build", l.manifest(), "--output", l.imageBase(), "--force")
	return err
}

// Boot starts the machine from its image, through the firmware as on real
// hardware, and waits for the agent. The image is changed by what the machine does.
func (l *Lab) Boot(ctx context.Context) error {
	uefi, err := vm.FindUEFI()
	if err != nil {
		return err
	}
	uefi.State = filepath.Join(l.Dir, "uefi-vars.fd")
	// The machine outlives the step that boots it; Close ends it.
	l.Machine, err = l.Host.Start(context.WithoutCancel(ctx), vm.Config{
		Name: "rastos-lab", Memory: 1024, UEFI: &uefi, Serial: l.Serial,
		Disks: []vm.Disk{{Path: l.Image(l.Formats[0]), Format: l.Formats[0]}},
		Net:   vm.Net{User: true},
	})
	if err != nil {
		return err
	}
	l.boot, err = l.Machine.WaitAgent(ctx)
	return err
}

// Guest runs a command in the guest and returns its standard output.
func (l *Lab) Guest(ctx context.Context, argv ...string) (string, error) {
	fmt.Fprintf(l.Log, "guest# %s\n", strings.Join(argv, " "))
	out, err := l.Machine.Output(ctx, argv...)
	fmt.Fprint(l.Log, out)
	return out, err
}

// Status is `rastos status` in the guest.
func (l *Lab) Status(ctx context.Context) (flow.Status, error) {
	var st flow.Status
	out, err := l.Machine.Output(ctx, "rastos", "status", "--json")
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal([]byte(out), &st)
}

// Reboot asks the guest to reboot and does not wait.
func (l *Lab) Reboot(ctx context.Context) error {
	_, err := l.Machine.Output(ctx, "systemctl", "reboot", "--no-block")
	return err
}

// Settle waits until the guest runs a deployment that is good, whatever number
// of reboots that takes, and until accept is content with its status.
func (l *Lab) Settle(ctx context.Context, accept func(flow.Status) bool) (flow.Status, error) {
	var st flow.Status
	for {
		try, cancel := context.WithTimeout(ctx, 20*time.Second)
		_, err := l.Machine.WaitAgent(try)
		if err == nil {
			st, err = l.Status(try)
		}
		cancel()
		if err == nil && st.Booted.Shown == "good" && accept(st) {
			return st, nil
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-l.Machine.Done():
			return st, errors.New("the machine has ended; its last lines:\n" + last(l.Machine.SerialText(), 30))
		case <-ctx.Done():
			return st, fmt.Errorf("the machine did not settle: %w; booted %d (%s), last error: %v; its last lines:\n%s",
				context.Cause(ctx), st.Booted.Number, st.Booted.Shown, err, last(l.Machine.SerialText(), 30))
		}
	}
}
