// SPDX-License-Identifier: GPL-3.0-or-later

package logs

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Entry is a line of a log.
type Entry struct {
	Time   time.Time `json:"time"`
	Stream string    `json:"stream"` // stdout, stderr; log: the log about itself
	Text   string    `json:"text"`
}

// parse reads a line; one that is none has neither time nor stream.
func parse(line string) Entry {
	when, rest, _ := strings.Cut(line, " [")
	stream, text, found := strings.Cut(rest, "] ")
	at, err := time.Parse(stamp, when)
	if err != nil || !found {
		return Entry{Text: line}
	}
	return Entry{at, stream, text}
}

// Query says what of a log is wanted.
type Query struct {
	Since time.Time // zero: from the beginning
	Last  int       // this many lines at the most; negative: all
}

// Read hands over what is in the log of a service, the oldest line first.
func Read(dir, name string, q Query, each func(Entry) error) error {
	_, err := read(filepath.Join(dir, name), name, q, each)
	if err != nil {
		return fmt.Errorf("read the log of %s: %w", name, err)
	}
	return nil
}

// read does so, and returns how far it came in the current log.
func read(dir, name string, q Query, each func(Entry) error) (*follower, error) {
	old, err := numbers(dir, name)
	if err != nil {
		return nil, err
	}
	var kept []Entry
	take := func(e Entry) error {
		switch {
		case e.Time.Before(q.Since) || q.Last == 0:
			return nil
		case q.Last < 0:
			return each(e)
		case len(kept) == q.Last:
			kept = kept[1:]
		}
		kept = append(kept, e)
		return nil
	}
	for _, n := range old {
		if err := readPacked(filepath.Join(dir, rotated(name, n)), take); err != nil {
			return nil, err
		}
	}
	f := &follower{path: filepath.Join(dir, current(name))}
	if err := f.more(take); err != nil {
		return nil, err
	}
	for _, e := range kept {
		if err := each(e); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func readPacked(path string, each func(Entry) error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) { // it went meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	lines := bufio.NewScanner(zip)
	lines.Buffer(nil, 2*maxLine)
	for lines.Scan() {
		if err := each(parse(lines.Text())); err != nil {
			return err
		}
	}
	return lines.Err()
}

// follower reads the current log further and further.
type follower struct {
	path string
	file *os.File
	rest string // of a line that has no end yet
}

// more reads what has come since. A log that was begun anew is gone on with after
// the old one is read to its end.
func (f *follower) more(each func(Entry) error) error {
	for {
		if f.file == nil {
			file, err := os.Open(f.path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			f.file = file
		}
		here, err := f.file.Stat()
		if err != nil {
			return err
		}
		now, err := os.Stat(f.path)
		anew := err != nil || !os.SameFile(here, now)
		data, err := io.ReadAll(f.file)
		if err != nil {
			return err
		}
		text := f.rest + string(data)
		for {
			line, rest, whole := strings.Cut(text, "\n")
			if !whole {
				break
			}
			text = rest
			if err := each(parse(line)); err != nil {
				return err
			}
		}
		if f.rest = text; !anew {
			return nil
		}
		f.file.Close()
		f.file, f.rest = nil, ""
	}
}

// look is how often a follower looks for more.
const look = 100 * time.Millisecond

// Follow is Read that goes on until ctx ends.
func Follow(ctx context.Context, dir, name string, q Query, each func(Entry) error) error {
	f, err := read(filepath.Join(dir, name), name, q, each)
	for err == nil {
		select {
		case <-ctx.Done():
			if f.file != nil {
				f.file.Close()
			}
			return nil
		case <-time.After(look):
			err = f.more(each)
		}
	}
	return fmt.Errorf("read the log of %s: %w", name, err)
}
