// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"io"
	"time"
)

// Format names a way of drawing.
type Format string

// The formats.
const (
	FormatTerminal Format = "terminal"
	FormatPlain    Format = "plain"
	FormatJSON     Format = "json"
)

// New makes the renderer of a format, drawing on w.
func New(format Format, w io.Writer, style Style, now func() time.Time) Renderer {
	switch format {
	case FormatJSON:
		return NewJSON(w, now)
	case FormatTerminal:
		return NewTerminal(w, style, now)
	default:
		return NewPlain(w, now)
	}
}
