// SPDX-License-Identifier: GPL-3.0-or-later

// Package logs keeps what services write, in files as rinit has them: for a
// service NAME, NAME/NAME_rCURRENT.log and, when that has grown to MaxSize,
// NAME_r00000.log.gz and so on, of which Keep are kept. A line is the time, the
// stream in brackets and the text.
//
// A service never waits for its log: what cannot be written in time is dropped,
// and the log says how many lines that were. The log is written by the process
// that the service was started by, and ends with it.
package logs

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// MaxSize is how large a log gets before another one is begun, in bytes.
	MaxSize = 512 << 10
	// Keep is how many older logs are kept.
	Keep = 5
	// maxLine is how long a line may be; the rest of it is another one.
	maxLine = 8 << 10
	// backlog is how many lines may wait to be written.
	backlog = 1024
)

// Log is the log of one service.
type Log struct {
	dir, name string
	now       func() time.Time
	lines     chan string
	done      chan struct{}
	readers   sync.WaitGroup

	mu      sync.Mutex
	dropped int

	file *os.File
	size int64
}

// Open opens the log of a service in the folder of all logs, or begins it.
func Open(dir, name string, now func() time.Time) (*Log, error) {
	l := &Log{dir: filepath.Join(dir, name), name: name, now: now, lines: make(chan string, backlog), done: make(chan struct{})}
	if err := os.MkdirAll(l.dir, 0o750); err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	go l.write(l.lines)
	return l, nil
}

func (l *Log) open() error {
	f, err := os.OpenFile(filepath.Join(l.dir, current(l.name)), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.file, l.size = f, info.Size()
	return nil
}

func current(name string) string { return name + "_rCURRENT.log" }

// Pipe returns a descriptor for a process to write to; the caller closes it when
// the process has it.
func (l *Log) Pipe(stream string) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", l.name, err)
	}
	l.readers.Go(func() {
		defer r.Close()
		lines := bufio.NewReaderSize(r, maxLine)
		for {
			line, err := lines.ReadSlice('\n')
			if text := strings.TrimRight(string(line), "\r\n"); len(line) > 0 {
				l.Say(stream, text)
			}
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return
			}
		}
	})
	return w, nil
}

// Say puts a line into the log.
func (l *Log) Say(stream, text string) {
	line := fmt.Sprintf("%s [%s] %s\n", l.now().UTC().Format(stamp), stream, text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped > 0 {
		select {
		case l.lines <- fmt.Sprintf("%s [log] %d lines came too fast and were dropped\n", l.now().UTC().Format(stamp), l.dropped):
			l.dropped = 0
		default:
		}
	}
	select {
	case l.lines <- line:
	default:
		l.dropped++
	}
}

// stamp is how a time is written: of one width, so that lines sort.
const stamp = "2006-01-02T15:04:05.000000Z"

// Close writes what is there. What processes write that still have a descriptor
// is not waited for.
func (l *Log) Close() error {
	closed := make(chan struct{})
	go func() { l.readers.Wait(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(100 * time.Millisecond):
	}
	l.mu.Lock()
	lines := l.lines
	l.lines = nil // a nil channel takes nothing: what comes now is dropped
	l.mu.Unlock()
	if lines != nil {
		close(lines)
	}
	<-l.done
	return l.file.Close()
}

// write writes lines as they come. That a disk is full stops nothing.
func (l *Log) write(lines <-chan string) {
	defer close(l.done)
	for line := range lines {
		if l.size > 0 && l.size+int64(len(line)) > MaxSize {
			if l.rotate() != nil {
				continue
			}
		}
		n, _ := io.WriteString(l.file, line)
		l.size += int64(n)
	}
}

// rotate begins another log.
func (l *Log) rotate() error {
	old, err := numbers(l.dir, l.name)
	if err != nil {
		return err
	}
	next := 0
	if len(old) > 0 {
		next = old[len(old)-1] + 1
	}
	plain := filepath.Join(l.dir, current(l.name))
	if err := pack(plain, filepath.Join(l.dir, rotated(l.name, next))); err != nil {
		return err
	}
	if err := os.Remove(plain); err != nil {
		return err
	}
	l.file.Close()
	for _, n := range old[:max(0, len(old)+1-Keep)] {
		_ = os.Remove(filepath.Join(l.dir, rotated(l.name, n))) // it is looked for again next time
	}
	return l.open()
}

func rotated(name string, n int) string { return fmt.Sprintf("%s_r%05d.log.gz", name, n) }

// numbers are those of the older logs, sorted.
func numbers(dir, name string) (all []int, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), name+"_r")
		digits, ended := strings.CutSuffix(rest, ".log.gz")
		if n, err := strconv.Atoi(digits); ours && ended && err == nil && e.Name() == rotated(name, n) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// pack compresses a file into another one, which is whole or not there.
func pack(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	zip := gzip.NewWriter(out)
	_, err = io.Copy(zip, in)
	if err = errors.Join(err, zip.Close(), out.Close()); err == nil {
		err = os.Rename(to+".part", to)
	}
	if err != nil {
		_ = os.Remove(to + ".part")
	}
	return err
}
