// SPDX-License-Identifier: GPL-3.0-or-later

// Package control is how people speak with a service manager: one JSON object goes
// to its socket, one comes back, and the connection ends. Who may open the socket
// may ask for anything; the folder that it is in decides on that.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rastos/rastos/internal/mistake"
)

// The verbs of requests.
const (
	List    = "list" // the state of the services, or of all
	Start   = "start"
	Stop    = "stop"
	Restart = "restart"
	Reload  = "reload" // of service files
)

// Request is what is asked for.
type Request struct {
	Verb      string   `json:"verb"`
	Services  []string `json:"services,omitempty"`
	Recursive bool     `json:"recursive,omitempty"`
}

// Response is the answer.
type Response struct {
	Services []Service    `json:"services,omitempty"`
	Results  []Result     `json:"results,omitempty"`
	Error    string       `json:"error,omitempty"` // nothing was done
	Mistakes mistake.List `json:"mistakes,omitempty"`
}

// Service is what is known of one.
type Service struct {
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	Description string    `json:"description,omitempty"`
	Runlevel    string    `json:"runlevel"`
	State       string    `json:"state"`
	Phase       string    `json:"phase,omitempty"`
	Since       time.Time `json:"since,omitzero"`
	PID         int       `json:"pid,omitempty"`
	Memory      int64     `json:"memory,omitempty"` // of that process, resident, in bytes
	Restarts    int       `json:"restarts"`
	LastExit    string    `json:"last_exit,omitempty"`
	Failure     string    `json:"failure,omitempty"`
	Says        string    `json:"says,omitempty"` // of itself
	Unready     bool      `json:"unready,omitempty"`
	Changed     bool      `json:"changed,omitempty"`
}

// Result is what became of one service.
type Result struct {
	Service string `json:"service"`
	Failure string `json:"failure,omitempty"`
}

// MaxSize is how large a request or an answer may be, in bytes.
const MaxSize = 4 << 20

// Listen makes the socket. One that a manager has left that is gone is replaced.
func Listen(path string) (*net.UnixListener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("another service manager answers at %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("make the socket of the service manager: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("make the socket of the service manager: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("make the socket of the service manager: %w", err)
	}
	return l, nil
}

// Serve answers requests until the listener is closed, and returns when all are
// answered. The context of a request ends when nobody waits for the answer any
// more.
func Serve(ctx context.Context, l net.Listener, answer func(context.Context, Request) Response) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		open.Go(func() { serve(ctx, conn, answer) })
	}
}

// patience is how long somebody may take to say what he wants.
const patience = 10 * time.Second

func serve(ctx context.Context, conn net.Conn, answer func(context.Context, Request) Response) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	var r Request
	from := &limited{conn, MaxSize}
	if err := json.NewDecoder(from).Decode(&r); err != nil {
		_ = json.NewEncoder(conn).Encode(Response{Error: "the request is no JSON: " + err.Error()})
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	go func() { // the other end says nothing more: a read ends when it is gone
		_, _ = conn.Read(make([]byte, 1))
		cancel()
	}()
	_ = json.NewEncoder(conn).Encode(answer(ctx, r))
}

// limited is a reader that fails where io.LimitReader ends.
type limited struct {
	from net.Conn
	left int
}

func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("larger than %d bytes", MaxSize)
	}
	n, err := l.from.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}

// NotRunningError says that no manager answers.
type NotRunningError struct{ Path string }

func (e *NotRunningError) Error() string { return "no service manager answers at " + e.Path }

// Hint says how one is started.
func (e *NotRunningError) Hint() string { return "`rastos service supervise` runs one" }

// Call asks the manager at a socket.
func Call(ctx context.Context, path string, r Request) (Response, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return Response{}, &NotRunningError{path}
	}
	if err != nil {
		return Response{}, fmt.Errorf("ask the service manager: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var answer Response
	err = json.NewEncoder(conn).Encode(r)
	if err == nil {
		err = json.NewDecoder(&limited{conn, MaxSize}).Decode(&answer)
	}
	switch {
	case ctx.Err() != nil:
		return Response{}, context.Cause(ctx)
	case err != nil:
		return Response{}, fmt.Errorf("ask the service manager: %w", err)
	}
	return answer, nil
}
