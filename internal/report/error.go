// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Hinter is an error that knows what the person can do about it.
type Hinter interface {
	error
	Hint() string
}

// Hint returns the advice that err or an error it wraps carries, outermost
// first, or "".
func Hint(err error) string {
	var h Hinter
	for err != nil {
		if !errors.As(err, &h) {
			return ""
		}
		if hint := h.Hint(); hint != "" {
			return hint
		}
		// This one had nothing to say; an inner one may.
		err = errors.Unwrap(h)
	}
	return ""
}

// WithHint adds advice to an error.
func WithHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{err, fmt.Sprintf(format, args...)}
}

type hinted struct {
	error
	hint string
}

func (h *hinted) Hint() string  { return h.hint }
func (h *hinted) Unwrap() error { return h.error }

// maxErrorLines bounds what is shown of errors that were joined.
const maxErrorLines = 10

// PrintError writes err as every verb ends that failed: "error:" and, where
// one is known, "hint:". Of errors that were joined each has a line, the first
// few.
func PrintError(w io.Writer, style Style, err error) {
	lines := strings.Split(strings.TrimRight(err.Error(), "\n"), "\n")
	fmt.Fprintf(w, "%s %s\n", style.Bad("error:"), lines[0])
	for i, line := range lines[1:] {
		if left := len(lines) - 1 - i; i == maxErrorLines-1 && left > 1 {
			fmt.Fprintf(w, "       (and %d more)\n", left)
			break
		}
		fmt.Fprintf(w, "       %s\n", line)
	}
	if hint := Hint(err); hint != "" {
		fmt.Fprintf(w, "%s %s\n", style.Hint("hint:"), hint)
	}
}

// PrintErrorJSON writes err as one JSON object on a line of its own. An error
// that is itself worth encoding (a list of mistakes) goes into "data".
func PrintErrorJSON(w io.Writer, err error, exitCode int) error {
	out := struct {
		Kind     string `json:"kind"`
		Message  string `json:"message"`
		Hint     string `json:"hint,omitempty"`
		ExitCode int    `json:"exit_code"`
		Data     any    `json:"data,omitempty"`
	}{"error", err.Error(), Hint(err), exitCode, nil}
	var m json.Marshaler
	if errors.As(err, &m) {
		out.Data = m
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}
