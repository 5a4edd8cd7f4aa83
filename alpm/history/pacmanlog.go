// SPDX-License-Identifier: GPL-3.0-or-later

package history

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxLogLine is longer than any line that pacman writes of a package.
const maxLogLine = 1 << 20

// ReadPacmanLog reads the transactions off a pacman.log. Its lines are
// "[time] [source] text"; those of pacman before 4.1 have no source. Lines that
// tell of no package are passed over.
func ReadPacmanLog(r io.Reader) ([]Entry, error) {
	p := &logReader{}
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLogLine)
	for in.Scan() {
		p.line(strings.ToValidUTF8(in.Text(), "\uFFFD"))
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("read pacman's log: %w", err)
	}
	p.cutOff()
	return p.entries, nil
}

type logReader struct {
	entries []Entry
	open    *Entry // the transaction that the lines belong to
	started bool   // its beginning is in the log: pacman 4.2 and later
	command []string
}

func (p *logReader) line(text string) {
	stamp, source, text, ok := splitLogLine(text)
	if !ok {
		return
	}
	if command, is := strings.CutPrefix(text, "Running '"); is && source == "PACMAN" {
		p.cutOff()
		p.command = strings.Fields(strings.TrimSuffix(command, "'"))
		return
	}
	if source != "ALPM" && source != "" {
		return
	}
	switch text {
	case "transaction started":
		p.cutOff()
		p.begin(stamp)
		p.started = true
		return
	case "transaction completed":
		p.end(stamp, Done)
		return
	case "transaction interrupted", "transaction failed":
		p.end(stamp, Failed)
		return
	}
	if c, ok := logChange(text); ok {
		if p.open == nil {
			p.begin(stamp)
		}
		p.open.Changes = append(p.open.Changes, c)
		p.open.Ended = stamp
	}
}

func (p *logReader) begin(at time.Time) {
	p.open = &Entry{Time: at, Ended: at, Command: p.command}
	p.command = nil
}

func (p *logReader) end(at time.Time, how Result) {
	if p.open != nil {
		p.open.Ended = at
	}
	p.finish(how)
}

// cutOff ends a transaction whose end is not in the log. An old log has no
// beginnings either, and what it tells of is done.
func (p *logReader) cutOff() {
	if p.started {
		p.finish(Unfinished)
		return
	}
	p.finish(Done)
}

func (p *logReader) finish(how Result) {
	if e := p.open; e != nil && len(e.Changes) > 0 {
		e.ID, e.Result = fmt.Sprintf("p%d", len(p.entries)+1), how
		p.entries = append(p.entries, *e)
	}
	p.open, p.started = nil, false
}

// splitLogLine takes "[time] [source] text" apart.
func splitLogLine(s string) (stamp time.Time, source, text string, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return stamp, "", "", false
	}
	when, rest, ok := strings.Cut(s[1:], "] ")
	if !ok {
		return stamp, "", "", false
	}
	stamp, err := time.Parse("2006-01-02T15:04:05-0700", when)
	if err != nil {
		if stamp, err = time.ParseInLocation("2006-01-02 15:04", when, time.Local); err != nil {
			return stamp, "", "", false
		}
	}
	if strings.HasPrefix(rest, "[") {
		if word, after, found := strings.Cut(rest[1:], "] "); found {
			source, rest = word, after
		}
	}
	return stamp, source, rest, true
}

// logChange reads "upgraded x (1 -> 2)" and its like.
func logChange(text string) (Change, bool) {
	verb, rest, ok := strings.Cut(text, " ")
	if !ok || !strings.HasSuffix(rest, ")") {
		return Change{}, false
	}
	name, versions, ok := strings.Cut(strings.TrimSuffix(rest, ")"), " (")
	if !ok || name == "" || strings.ContainsAny(name, " /") || versions == "" {
		return Change{}, false
	}
	one := &Version{Version: versions}
	switch verb {
	case "installed":
		return Change{Name: name, New: one}, true
	case "removed":
		return Change{Name: name, Old: one}, true
	case "reinstalled":
		return Change{Name: name, Old: one, New: one}, true
	case "upgraded", "downgraded":
		old, next, ok := strings.Cut(versions, " -> ")
		return Change{Name: name, Old: &Version{Version: old}, New: &Version{Version: next}}, ok
	}
	return Change{}, false
}
