// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// receiverTop names, for the process that sshd starts, the file system to receive on.
const receiverTop = "RASTOS_TEST_RECEIVER_TOP"

// TestReceiverOfSSH is no test: it is `rastos snapshot receive -` on the machine at
// the other end of the next one.
func TestReceiverOfSSH(t *testing.T) {
	top := os.Getenv(receiverTop)
	if top == "" {
		return
	}
	b := diskBoxAt(t, top)
	if _, err := b.ReceiveNode(t.Context(), report.Discard{}, ReceiveRequest{From: os.Stdin, Reply: os.Stdout}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// sshServer starts an sshd that runs the receiver, whatever it is asked for, and
// writes down what that was.
func sshServer(t *testing.T, top string) (argv []string, asked string) {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	run := func(argv ...string) {
		t.Helper()
		if out, err := exec.Command(testkit.NeedTool(t, argv[0]), argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", argv, err, out)
		}
	}
	for _, k := range []string{"host", "user"} {
		run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", at(k))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$SSH_ORIGINAL_COMMAND\" >>%s\n%s=%s exec %s -test.run=TestReceiverOfSSH\n", at("asked"), receiverTop, top, self)
	config := fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nForceCommand %s\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\n", port, at("host"), at("user.pub"), at("receiver"))
	for name, text := range map[string]string{"receiver": script, "sshd_config": config} {
		if err := os.WriteFile(at(name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.MkdirAll("/run/sshd", 0o755)
	sshd := exec.Command(testkit.NeedTool(t, "sshd"), "-D", "-e", "-f", at("sshd_config"))
	sshd.Path = testkit.NeedTool(t, "sshd") // it wants its full path
	sshd.Args[0] = sshd.Path
	sshd.Stderr = testkit.LogWriter(t)
	if err := sshd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sshd.Process.Kill(); _ = sshd.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return []string{"ssh", "-i", at("user"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-T", "-p", port, "--", "127.0.0.1", "rastos snapshot receive -"}, at("asked")
}

// overSSH runs the ssh program; it dies after so many bytes, a negative number: never.
func overSSH(t *testing.T, dies int) func(context.Context, []string, func(io.WriteCloser, io.Reader) error) error {
	return func(ctx context.Context, argv []string, talk func(io.WriteCloser, io.Reader) error) error {
		cmd := exec.CommandContext(ctx, testkit.NeedTool(t, argv[0]), argv[1:]...)
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		cmd.Stderr = testkit.LogWriter(t)
		if err := cmd.Start(); err != nil {
			return err
		}
		err = talk(&dying{in, cmd.Process, dies}, out)
		in.Close()
		if ended := cmd.Wait(); err == nil {
			err = ended
		}
		return err
	}
}

type dying struct {
	io.WriteCloser
	process *os.Process
	left    int
}

func (w *dying) Write(b []byte) (int, error) {
	if w.left >= 0 {
		if w.left -= len(b); w.left < 0 {
			_ = w.process.Kill()
			return 0, errBroken
		}
	}
	return w.WriteCloser.Write(b)
}

func TestNodesTravelBySSH(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedTool(t, "sshd")
	a, b := newDiskBox(t), newDiskBox(t)
	nodes := a.grown(31, 2)
	argv, asked := sshServer(t, b.sys.Nodes.Top)
	a.Remote = overSSH(t, 6<<20)
	if _, err := a.SendNode(t.Context(), report.Discard{}, SendRequest{Node: "1", Argv: argv}); err == nil {
		t.Fatal("ssh was killed, and nobody noticed")
	}
	a.Remote = overSSH(t, -1)
	var sent Sent
	for try := range 20 { // the receiver may not have noticed yet that ssh is gone
		var err error
		if sent, err = a.SendNode(t.Context(), report.Discard{}, SendRequest{Node: "1", Argv: argv}); err == nil {
			break
		}
		if try == 19 {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if sent.Got != 1 || sent.Resumed == 0 {
		t.Errorf("sent %+v", sent)
	}
	b.sameNode(a, nodes[0], 1)
	sent, err := a.SendNode(t.Context(), report.Discard{}, SendRequest{Node: "2", Argv: argv})
	a.check(err)
	if sent.Got != 2 || sent.Parent != 1 {
		t.Errorf("sent %+v", sent)
	}
	b.sameNode(a, nodes[1], 2)
	b.clean()
	text, err := os.ReadFile(asked)
	a.check(err)
	if want := "rastos snapshot receive -\n"; !strings.HasPrefix(string(text), want) {
		t.Errorf("ssh asked for %q", text)
	}
}
