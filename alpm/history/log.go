// SPDX-License-Identifier: GPL-3.0-or-later

package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"
)

// Log is the file of a history. It need not be there.
type Log struct {
	Path string
	Now  func() time.Time
}

// End is how a transaction ended.
type End struct {
	Result           Result
	Error, Note      string
	Node, Deployment int
}

// The events of a line.
const (
	eventBegin = "begin"
	eventEnd   = "end"
)

// line is one line of the file.
type line struct {
	Event string `json:"event"`
	Entry
}

// Begin writes down a transaction that is about to happen and gives it its id.
func (l *Log) Begin(e Entry) (id string, err error) {
	err = l.change(func(old []byte) (line, error) {
		entries, _ := Decode(old)
		last := 0
		for _, e := range entries {
			if n, err := strconv.Atoi(e.ID); err == nil {
				last = max(last, n)
			}
		}
		id = strconv.Itoa(last + 1)
		e.ID, e.Time, e.Result = id, l.Now().UTC(), Unfinished
		return line{eventBegin, e}, nil
	})
	return id, err
}

// End writes down how a transaction ended.
func (l *Log) End(id string, end End) error {
	return l.change(func([]byte) (line, error) {
		return line{eventEnd, Entry{
			ID: id, Time: l.Now().UTC(), Result: end.Result, Error: end.Error, Note: end.Note,
			Node: end.Node, Deployment: end.Deployment,
		}}, nil
	})
}

// Read returns all transactions, the oldest first, and how many damaged lines
// were passed over.
func (l *Log) Read() (entries []Entry, damaged int, err error) {
	data, err := os.ReadFile(l.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the history: %w", err)
	}
	entries, damaged = Decode(data)
	return entries, damaged, nil
}

// Close settles transactions that were cut off. installed tells the version of
// a package that is installed now, "" for none.
func (l *Log) Close(installed func(name string) string) error {
	entries, _, err := l.Read()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Result != Unfinished {
			continue
		}
		if err := l.End(e.ID, End{Result: Recovered, Note: settled(e, installed)}); err != nil {
			return err
		}
	}
	return nil
}

// settled says what became of a transaction that was cut off.
func settled(e Entry, installed func(string) string) string {
	made := e.Made(installed)
	switch made {
	case len(e.Changes):
		return "it was cut off, and finished by recovery"
	case 0:
		return "it was cut off, and taken back by recovery"
	}
	return fmt.Sprintf("it was cut off; %d of %d changes were made", made, len(e.Changes))
}

// change appends one line, which make derives from all that are there, and
// flushes it.
func (l *Log) change(make func(old []byte) (line, error)) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the history: %w", err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(l.Path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(l.Path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	lock := flock.New(l.Path, flock.SetFlag(os.O_RDWR))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Close()
	old, err := os.ReadFile(l.Path)
	if err != nil {
		return err
	}
	whole := int64(bytes.LastIndexByte(old, '\n') + 1)
	next, err := make(old[:whole])
	if err != nil {
		return err
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	// What a crash left of a line is in the way of the next one.
	if err := f.Truncate(whole); err != nil {
		return err
	}
	if _, err := f.WriteAt(append(text, '\n'), whole); err != nil {
		return errors.Join(err, f.Truncate(whole))
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return flushDir(filepath.Dir(l.Path), whole == 0)
}

// flushDir makes a new file's name durable.
func flushDir(dir string, isNew bool) error {
	if !isNew {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Decode reads the lines of a history. A last line without its end is not
// there yet.
func Decode(data []byte) (entries []Entry, damaged int) {
	at := map[string]int{}
	for {
		text, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			return entries, damaged
		}
		data = rest
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		var l line
		if json.Unmarshal(text, &l) != nil || l.ID == "" {
			damaged++
			continue
		}
		i, known := at[l.ID]
		switch {
		case l.Event == eventBegin && !known:
			at[l.ID] = len(entries)
			l.Result = Unfinished
			entries = append(entries, l.Entry)
		case l.Event == eventEnd && known:
			e := &entries[i]
			e.Ended, e.Result, e.Error, e.Note = l.Time, l.Result, l.Error, l.Note
			e.Node, e.Deployment = l.Node, l.Deployment
		default:
			damaged++
		}
	}
}
