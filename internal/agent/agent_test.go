// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeRunner is a few commands that need no process.
func fakeRunner(ctx context.Context, cmd Command) (Exit, error) {
	switch cmd.Argv[0] {
	case "echo":
		fmt.Fprintln(cmd.Stdout, strings.Join(cmd.Argv[1:], " "))
		fmt.Fprint(cmd.Stderr, "warned")
		return Exit{Code: 3}, nil
	case "cat":
		_, err := io.Copy(cmd.Stdout, cmd.Stdin)
		return Exit{}, err
	case "deaf": // never reads its input
		<-ctx.Done()
		return Exit{Code: 137, Signal: 9}, nil
	}
	return Exit{}, fmt.Errorf("start %s: no such program", cmd.Argv[0])
}

// pair connects a client and a server and returns the client and the guest's
// end of the stream.
func pair(t *testing.T) (*Client, net.Conn) {
	t.Helper()
	host, guest := net.Pipe()
	client := NewClient(host, rand.Reader)
	t.Cleanup(func() { host.Close(); guest.Close() })
	return client, guest
}

func serve(t *testing.T, guest io.ReadWriter, boot string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		s := &Server{Run: fakeRunner, Info: Info{Boot: boot, Version: "test"}}
		_ = s.Serve(ctx, guest)
	}()
	return cancel
}

func connect(t *testing.T, c *Client) Info {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	info, err := c.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestExecReturnsOutputAndCode(t *testing.T) {
	c, guest := pair(t)
	serve(t, guest, "boot-1")
	if info := connect(t, c); info.Boot != "boot-1" || info.Protocol != Protocol {
		t.Fatalf("info %+v", info)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	exit, err := c.Exec(t.Context(), Command{Argv: []string{"echo", "a", "b"}, Stdout: &out, Stderr: &errs})
	if err != nil || exit.Code != 3 || out.String() != "a b\n" || errs.String() != "warned" {
		t.Fatalf("exit %+v, error %v, out %q, err %q", exit, err, &out, &errs)
	}
	_, err = c.Exec(t.Context(), Command{Argv: []string{"nonesuch"}})
	var remote *RemoteError
	if !errors.As(err, &remote) || !strings.Contains(err.Error(), "no such program") {
		t.Fatalf("error %v", err)
	}
}

func TestInputLargerThanTheWindow(t *testing.T) {
	c, guest := pair(t)
	serve(t, guest, "b")
	connect(t, c)
	want := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	var out bytes.Buffer
	exit, err := c.Exec(t.Context(), Command{Argv: []string{"cat"}, Stdin: bytes.NewReader(want), Stdout: &out})
	if err != nil || exit.Code != 0 || !bytes.Equal(out.Bytes(), want) {
		t.Fatalf("exit %+v, error %v, %d bytes of %d", exit, err, out.Len(), len(want))
	}
}

func TestDeafCommandDoesNotStopTheChannel(t *testing.T) {
	c, guest := pair(t)
	serve(t, guest, "b")
	connect(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Exec(ctx, Command{Argv: []string{"deaf"}, Stdin: bytes.NewReader(make([]byte, 1<<20))})
		ended <- err
	}()
	for range 20 {
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTimeoutEndsTheCommandInTheGuest(t *testing.T) {
	c, guest := pair(t)
	serve(t, guest, "b")
	connect(t, c)
	exit, err := c.Exec(t.Context(), Command{Argv: []string{"deaf"}, Timeout: 20 * time.Millisecond})
	if err != nil || !exit.TimedOut || exit.Signal != 9 {
		t.Fatalf("exit %+v, error %v", exit, err)
	}
}

func TestPutAndGet(t *testing.T) {
	c, guest := pair(t)
	serve(t, guest, "b")
	connect(t, c)
	path := filepath.Join(t.TempDir(), "file")
	content := bytes.Repeat([]byte{0, 1, 2, 255}, 40_000)
	if err := c.Put(t.Context(), path, 0o640, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, content) {
		t.Fatalf("error %v, %d bytes", err, len(got))
	}
	var back bytes.Buffer
	mode, err := c.Get(t.Context(), path, &back)
	if err != nil || mode != 0o640 || !bytes.Equal(back.Bytes(), content) {
		t.Fatalf("mode %v, error %v, %d bytes", mode, err, back.Len())
	}
	if _, err := c.Get(t.Context(), path+".none", io.Discard); err == nil {
		t.Fatal("a missing file was read")
	}
	failing := io.MultiReader(bytes.NewReader(content), failReader{})
	if err := c.Put(t.Context(), path, 0o600, failing); err == nil {
		t.Fatal("half a file was accepted")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
		t.Fatal("an interrupted put changed the file")
	}
	if list, _ := os.ReadDir(filepath.Dir(path)); len(list) != 1 {
		t.Fatalf("an interrupted put left %v", list)
	}
}

type failReader struct{}

func (failReader) Read([]byte) (int, error) { return 0, errors.New("planted failure") }

func TestHostConnectsBeforeTheGuestAndAfterGarbage(t *testing.T) {
	c, guest := pair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// What a console or an older session may have left behind.
		_, _ = guest.Write([]byte("login: {\"s\":\"old\",\"op\":\"out\",\"data\":\"AAA"))
		_, _ = guest.Write([]byte("{{{]]\n\x00\xff\n{\"s\":1}\n"))
	}()
	go func() { <-done; time.Sleep(80 * time.Millisecond); serve(t, guest, "late") }()
	if info := connect(t, c); info.Boot != "late" {
		t.Fatalf("info %+v", info)
	}
}

func TestRestartedAgentResetsRequests(t *testing.T) {
	c, guest := pair(t)
	restarted := make(chan struct{})
	first := &lostStream{Conn: guest, lost: restarted}
	serve(t, first, "boot-1")
	connect(t, c)
	ended := make(chan error, 1)
	go func() {
		_, err := c.Exec(t.Context(), Command{Argv: []string{"deaf"}})
		ended <- err
	}()
	time.Sleep(50 * time.Millisecond)
	close(restarted)
	// The next message wakes the dead agent, which drops it; a new one answers.
	_ = c.out.send(t.Context(), message{Session: "x", Op: opPing})
	serve(t, guest, "boot-2")
	_ = c.out.send(t.Context(), message{Session: c.session, Op: opPing})
	if err := <-ended; !errors.Is(err, ErrReset) {
		t.Fatalf("error %v", err)
	}
	if err := c.Ping(t.Context()); !errors.Is(err, ErrNotConnected) {
		t.Fatalf("error %v", err)
	}
	if info := connect(t, c); info.Boot != "boot-2" {
		t.Fatalf("info %+v", info)
	}
}

// lostStream stops being read at the first message after lost is closed.
type lostStream struct {
	net.Conn
	lost chan struct{}
}

func (s *lostStream) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	select {
	case <-s.lost:
		return 0, io.ErrUnexpectedEOF
	default:
		return n, err
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	c, _ := pair(t) // nobody reads the guest's end: writes block
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
}

func (s *lostStream) Write(p []byte) (int, error) {
	select {
	case <-s.lost:
		return 0, io.ErrClosedPipe
	default:
		return s.Conn.Write(p)
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte("{\"s\":\"a\",\"op\":\"out\",\"data\":\"AAAA\"}\n"))
	f.Add([]byte("garbage\n\n{\"s\":\"a\",\"op\":\"hello\"}\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDecoder(bytes.NewReader(data))
		for {
			m, err := d.next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if m.Session == "" || m.Op == "" {
				t.Fatalf("message %+v", m)
			}
			var line bytes.Buffer
			if err := newEncoder(&line).send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if _, err := newDecoder(&line).next(); err != nil {
				t.Fatalf("own encoding of %+v: %v", m, err)
			}
		}
	})
}

func TestOverlongLineIsSkipped(t *testing.T) {
	in := "{" + strings.Repeat("x", maxLine+10) + "\n{\"s\":\"a\",\"op\":\"ping\"}\n"
	m, err := newDecoder(strings.NewReader(in)).next()
	if err != nil || m.Op != opPing {
		t.Fatalf("message %+v, error %v", m, err)
	}
}
