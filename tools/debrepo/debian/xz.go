// SPDX-License-Identifier: GPL-3.0-or-later

package debian

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// smallXZ is the size up to which starting a program is not worth it.
const smallXZ = 64 << 10

// xzStream is the output of a running xz.
type xzStream struct {
	io.ReadCloser
	cmd     *exec.Cmd
	message strings.Builder
	ended   bool
}

func startXZ(r io.Reader) (io.ReadCloser, error) {
	program, err := exec.LookPath("xz")
	if err != nil {
		return nil, err
	}
	s := &xzStream{cmd: exec.Command(program, "--decompress", "--stdout", "--threads=1")}
	s.cmd.Stdin, s.cmd.Stderr = r, &s.message
	if s.ReadCloser, err = s.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start xz: %w", err)
	}
	return s, nil
}

// Read turns a failure of the program into the error at the end.
func (s *xzStream) Read(p []byte) (int, error) {
	if s.ended {
		return 0, io.EOF
	}
	n, err := s.ReadCloser.Read(p)
	if err == io.EOF {
		s.ended = true
		if wait := s.cmd.Wait(); wait != nil {
			err = fmt.Errorf("xz: %w: %s", wait, strings.TrimSpace(s.message.String()))
		}
	}
	return n, err
}

// Close ends the program if it still runs.
func (s *xzStream) Close() error {
	if s.ended {
		return nil
	}
	s.ended = true
	_ = s.ReadCloser.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	return nil
}
