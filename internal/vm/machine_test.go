// SPDX-License-Identifier: GPL-3.0-or-later

package vm_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/vm"
)

// firmware is a machine's whole software in a few bytes: it prints "boot" on
// the serial port and echoes what is typed; "r" resets the machine, "q" ends it.
var firmware = [...]byte{
	0xfa,             // cli
	0xba, 0xf8, 0x03, // mov $0x3f8,%dx
	0xb0, 'b', 0xee, // mov $'b',%al; out %al,%dx
	0xb0, 'o', 0xee, 0xee,
	0xb0, 't', 0xee,
	0xb0, '\n', 0xee,
	0xba, 0xfd, 0x03, // next: mov $0x3fd,%dx
	0xec, 0xa8, 0x01, // in %dx,%al; test $1,%al
	0x74, 0xf8, // jz next
	0xba, 0xf8, 0x03, // mov $0x3f8,%dx
	0xec, 0xee, // in %dx,%al; out %al,%dx
	0x3c, 'r', 0x75, 0x06, // cmp $'r',%al; jne past
	0xba, 0xf9, 0x0c, // mov $0xcf9,%dx
	0xb0, 0x0e, 0xee, // mov $0x0e,%al; out %al,%dx
	0x3c, 'q', 0x75, 0xe5, // past: cmp $'q',%al; jne next
	0xb0, 0x00, 0xe6, 0xf4, // mov $0,%al; out %al,$0xf4
	0xeb, 0xdf, // jmp next
}

// echoConfig is a machine that starts in no time.
func echoConfig(t *testing.T) vm.Config {
	t.Helper()
	const size, entry, reset = 64 << 10, 0xff00, 0xfff0
	rom := make([]byte, size)
	copy(rom[entry:], firmware[:])
	copy(rom[reset:], []byte{0xe9, 0x0d, 0xff}) // jmp entry
	dir := t.TempDir()
	cfg := vm.Config{
		UEFI:   &vm.UEFI{Code: filepath.Join(dir, "code.fd"), Vars: filepath.Join(dir, "vars.fd")},
		Memory: 16, TempDir: dir, Accel: vm.TCG,
		Args: []string{"-device", "isa-debug-exit,iobase=0xf4,iosize=1"},
	}
	for path, data := range map[string][]byte{cfg.UEFI.Code: rom, cfg.UEFI.Vars: make([]byte, size)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// screen is a person's terminal.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) waitFor(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		text := s.buf.String()
		s.mu.Unlock()
		if strings.Contains(text, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the screen shows %q, not %q", text, want)
		}
	}
}

func noLeftovers(t *testing.T, cfg vm.Config) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(cfg.TempDir, "rastos-vm-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestConsoleResetAndPlug(t *testing.T) {
	cfg := echoConfig(t)
	log := &screen{}
	cfg.Serial = log
	m := testkit.StartVM(t, cfg)
	log.waitFor(t, "boot\n")
	keys, keyboard := io.Pipe()
	terminal := &screen{}
	left := make(chan error, 1)
	go func() { left <- m.Console(within(t, 30*time.Second), keys, terminal) }()
	terminal.waitFor(t, "boot\n") // what was printed before is shown
	io.WriteString(keyboard, "hello")
	terminal.waitFor(t, "hello")
	io.WriteString(keyboard, "r")
	if err := m.WaitResets(within(t, 20*time.Second), 1); err != nil {
		t.Fatal(err)
	}
	terminal.waitFor(t, "r"+"boot\n")
	io.WriteString(keyboard, "x\x1dnot this")
	if err := <-left; err != nil {
		t.Fatal(err)
	}
	log.waitFor(t, "boot\nx")
	if strings.Contains(m.SerialText(), "not this") {
		t.Error("keys after the escape reached the guest")
	}
	if err := m.Reset(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := m.WaitResets(within(t, 20*time.Second), 2); err != nil {
		t.Fatal(err)
	}
	if m.CPUTime() <= 0 {
		t.Error("the machine cost no CPU time")
	}
	m.Kill()
	noLeftovers(t, cfg)
	if err := m.WaitResets(within(t, time.Second), 9); !errors.Is(err, vm.ErrEnded) {
		t.Errorf("error %v", err)
	}
}

func TestMachineEndsByItself(t *testing.T) {
	cfg := echoConfig(t)
	m := testkit.StartVM(t, cfg)
	if err := m.Console(within(t, 20*time.Second), strings.NewReader("q"), io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(within(t, time.Second)); err == nil { // isa-debug-exit ends with code 1
		t.Error("QEMU's exit code is lost")
	}
	noLeftovers(t, cfg)
}

func TestMachineEndsWithItsContext(t *testing.T) {
	cfg := echoConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	m, err := testkit.VMHost(t).Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := m.WaitAgent(t.Context())
		waiting <- err
	}()
	time.Sleep(50 * time.Millisecond)
	cancel()
	if err := <-waiting; !errors.Is(err, vm.ErrEnded) {
		t.Errorf("error %v", err)
	}
	select {
	case <-m.Done():
	case <-time.After(10 * time.Second):
		m.Kill()
		t.Fatal("the machine outlived its context")
	}
	noLeftovers(t, cfg)
}

func TestMachineThatDoesNotStart(t *testing.T) {
	cfg := echoConfig(t)
	cfg.Args = []string{"-device", "no-such-device"}
	_, err := testkit.VMHost(t).Start(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "no-such-device") {
		t.Errorf("error %v", err)
	}
	noLeftovers(t, cfg)
	cfg.Args = nil
	cfg.Disks = []vm.Disk{{Path: filepath.Join(t.TempDir(), "none.img")}}
	if _, err := testkit.VMHost(t).Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "none.img") {
		t.Errorf("error %v", err)
	}
	cfg.Program = "qemu-system-nonesuch"
	var missing interface{ ExitCode() int }
	if _, err := testkit.VMHost(t).Start(t.Context(), cfg); !errors.As(err, &missing) || missing.ExitCode() != 9 {
		t.Errorf("error %v", err)
	}
	noLeftovers(t, cfg)
}

func TestVariablesPersist(t *testing.T) {
	cfg := echoConfig(t)
	cfg.UEFI.State = filepath.Join(t.TempDir(), "state.fd")
	m := testkit.StartVM(t, cfg)
	m.Kill()
	if err := os.WriteFile(cfg.UEFI.State, bytes.Repeat([]byte{7}, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.StartVM(t, cfg).Kill()
	data, err := os.ReadFile(cfg.UEFI.State)
	if err != nil || data[0] != 7 {
		t.Errorf("the variables were made anew (error %v)", err)
	}
}

// TestProbe asks for an answer in time; whether KVM works is the host's matter.
func TestProbe(t *testing.T) {
	h := testkit.VMHost(t)
	began := time.Now()
	accel, why := h.Accel(t.Context())
	first := time.Since(began)
	t.Logf("%s: %s (%v)", accel, why, first)
	if accel != vm.KVM && accel != vm.TCG || why == "" || first > 20*time.Second {
		t.Errorf("%q, %q after %v", accel, why, first)
	}
	began = time.Now()
	if again, _ := h.Accel(t.Context()); again != accel || time.Since(began) > 100*time.Millisecond {
		t.Errorf("probed again: %v after %v", again, time.Since(began))
	}
}
