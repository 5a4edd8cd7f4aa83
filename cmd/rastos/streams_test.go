// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/host/run"
)

func TestTalkingWithARemoteProgram(t *testing.T) {
	var said string
	err := remote(t.Context(), []string{"sh", "-c", "read a; echo you said $a; read b; echo and $b"}, func(to io.WriteCloser, from io.Reader) error {
		in := bufio.NewReader(from)
		for _, line := range []string{"one\n", "two\n"} {
			if _, err := io.WriteString(to, line); err != nil {
				return err
			}
			answer, err := in.ReadString('\n')
			if err != nil {
				return err
			}
			said += answer
		}
		return to.Close()
	})
	if err != nil || said != "you said one\nand two\n" {
		t.Errorf("%q, %v", said, err)
	}

	hush := func(io.WriteCloser, io.Reader) error { return nil }
	var exit *run.ExitError
	if err := remote(t.Context(), []string{"sh", "-c", "exit 3"}, hush); !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("a program that fails: %v", err)
	}
	if err := remote(t.Context(), []string{"there-is-no-such-program"}, hush); err == nil {
		t.Error("a program that is not there was spoken to")
	}
	mine := errors.New("mine")
	if err := remote(t.Context(), []string{"cat"}, func(io.WriteCloser, io.Reader) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("a talk that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = remote(ctx, []string{"cat"}, func(_ io.WriteCloser, from io.Reader) error {
		cancel()
		_, err := io.Copy(io.Discard, from)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "cancel") {
		t.Errorf("cancelled: %v", err)
	}
}
