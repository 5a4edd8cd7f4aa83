// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// PrintError writes err as every verb ends that failed: "error:" and, where
// one is known, "hint:".
func PrintError(w io.Writer, style Style, err error) {
	fmt.Fprintf(w, "%s %v\n", style.Bad("error:"), err)
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
