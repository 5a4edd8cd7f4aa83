// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serving answers requests at a socket until the test ends.
func serving(t *testing.T, answer func(context.Context, Request) Response) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "control")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { defer close(done); Serve(ctx, l, answer) }()
	t.Cleanup(func() { l.Close(); cancel(); <-done })
	return path
}

func echo(_ context.Context, r Request) Response {
	return Response{Results: []Result{{Service: strings.Join(r.Services, "+"), Failure: r.Verb}}}
}

func TestCall(t *testing.T) {
	path := serving(t, echo)
	for range 3 {
		got, err := Call(t.Context(), path, Request{Verb: Start, Services: []string{"a", "b"}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Response{Results: []Result{{"a+b", Start}}}, got); diff != "" {
			t.Error(diff)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may ask: %v, %v", info.Mode(), err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another service manager answers") {
		t.Errorf("a second one listens: %v", err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for _, path := range []string{stale, filepath.Join(dir, "none")} {
		_, err := Call(t.Context(), path, Request{Verb: List})
		var none *NotRunningError
		if !errors.As(err, &none) || none.Hint() == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
	again, err := Listen(stale) // what a killed manager has left is in nobody's way
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// TestNonsenseIsRefused: a request that is none hurts nobody else.
func TestNonsenseIsRefused(t *testing.T) {
	path := serving(t, echo)
	for _, data := range []string{"hello\n", "[]\n", `{"verb":7}` + "\n", `{"services":["` + strings.Repeat("x", MaxSize+10) + `"]}` + "\n"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		go io.WriteString(conn, data)
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil && len(answer) == 0 || !strings.Contains(string(answer), "the request is no JSON") {
			t.Errorf("%.20q: %.200s, %v", data, answer, err)
		}
	}
	if _, err := Call(t.Context(), path, Request{Verb: List}); err != nil {
		t.Error(err)
	}
}

// TestWhoGoesAwayIsNotWaitedFor: a request that takes long ends with its caller.
func TestWhoGoesAwayIsNotWaitedFor(t *testing.T) {
	gone := make(chan struct{})
	path := serving(t, func(ctx context.Context, _ Request) Response {
		<-ctx.Done()
		close(gone)
		return Response{}
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := Call(ctx, path, Request{Verb: Start}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the answer is still waited for")
	}
}
