// SPDX-License-Identifier: GPL-3.0-or-later

package process

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
)

// socket is where a process speaks by sd_notify(3).
type socket struct {
	conn *net.UnixConn
	path string

	mu     sync.Mutex
	status string
}

// listen makes the socket, for a user to write to.
func listen(path string, c *syscall.Credential) (*socket, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("make the socket of readiness: %w", err)
	}
	s := &socket{conn: conn, path: path}
	err = os.Chmod(path, 0o600)
	if err == nil && c != nil {
		err = os.Chown(path, int(c.Uid), int(c.Gid))
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("make the socket of readiness: %w", err)
	}
	return s, nil
}

// serve reads what is said until the socket is closed.
func (s *socket) serve(ready func()) {
	buf := make([]byte, 4096)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		for line := range strings.SplitSeq(string(buf[:n]), "\n") {
			key, value, _ := strings.Cut(line, "=")
			switch {
			case key == "READY" && value == "1":
				ready()
			case key == "STATUS":
				s.mu.Lock()
				s.status = strings.ToValidUTF8(value, "?")
				s.mu.Unlock()
			}
		}
	}
}

func (s *socket) said() string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *socket) close() {
	if s == nil {
		return
	}
	s.conn.Close()
	os.Remove(s.path)
}
