// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/rastos/rastos/bench/duel"
)

// verifyAll measures -Qkk of everything, each as a process from start to end:
// every file that is installed is compared with what its package says of it.
// Both must say the same.
func verifyAll(ctx context.Context, s *session) error {
	rastos, err := filepath.Abs(s.opt.rastos)
	if err != nil {
		return err
	}
	in := installation{figure: "verify-all", medium: tmpfs}
	_, err = s.once(ctx, in, func(ctx context.Context, at *site) (duel.Usage, error) {
		u, err := s.installOurs(ctx, at)
		if err != nil {
			return u, err
		}
		theirs := at.pacman("-Qkk")
		ours := append([]string{rastos}, theirs...)
		var answers [2][]byte
		for i, argv := range [][]string{ours, theirs} {
			if _, answers[i], err = duel.Output(ctx, argv...); err != nil {
				return u, err
			}
		}
		if len(answers[0]) == 0 || !bytes.Equal(answers[0], answers[1]) {
			return u, fmt.Errorf("the answers differ:\n%s\nand\n%s", duel.Tail(answers[0]), duel.Tail(answers[1]))
		}
		_, _, err = s.board.Versus(in.figure, s.version,
			func() (duel.Usage, error) { return duel.Measure(ctx, ours...) },
			func() (duel.Usage, error) { return duel.Measure(ctx, theirs...) })
		return u, err
	}, nil)
	return err
}
