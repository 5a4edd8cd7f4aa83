// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// A Program is another program that transfers files, pacman's XferCommand.
type Program struct {
	// Argv is its command line. A word that is %u becomes the URL, one that is
	// %o the partial file (Dest + ".part"), which is then moved to Dest. Without
	// %o the program is to write a file with the URL's last name into the
	// directory that it is run in.
	Argv []string
	// Run runs it in a directory until it ends.
	Run func(ctx context.Context, dir string, argv []string) (exit int, err error)
}

// fromProgram lets the program transfer the file. What it leaves of a transfer
// that failed stays, for it to go on from.
func (d *download) fromProgram(ctx context.Context, raw string) error {
	dir := filepath.Dir(d.part)
	got := d.part
	if !slices.Contains(d.f.Program.Argv, "%o") {
		name, err := lastName(raw)
		if err != nil {
			return err
		}
		got = filepath.Join(dir, name)
	}
	argv := make([]string, len(d.f.Program.Argv))
	for i, word := range d.f.Program.Argv {
		switch word {
		case "%o":
			word = d.part
		case "%u":
			word = raw
		}
		argv[i] = word
	}
	if len(argv) == 0 {
		return errors.New("the download program has no name")
	}
	exit, err := d.f.Program.Run(ctx, dir, argv)
	switch {
	case err != nil:
		return fmt.Errorf("run %s: %w", argv[0], err)
	case exit != 0:
		return d.mayLack(&ProgramError{Program: argv[0], Exit: exit})
	}
	return d.takeOver(got, raw)
}

// mayLack makes a failure of the program that of a file that is not there, if
// it need not be: a program does not tell one from the other.
func (d *download) mayLack(err error) error {
	if d.req.Optional {
		return fmt.Errorf("%w: %w", errMissing, err)
	}
	return err
}

// lastName is the name that a URL ends in.
func lastName(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("not a URL: %w", err)
	}
	name := path.Base(u.Path)
	if !plainName(name) {
		return "", fmt.Errorf("%s names no file", u.Redacted())
	}
	return name, nil
}

func plainName(name string) bool {
	return filepath.IsLocal(name) && name == filepath.Base(name) && name[0] != '.'
}

// takeOver checks what the program brought and puts it in its place.
func (d *download) takeOver(got, raw string) error {
	if _, err := os.Lstat(got); err != nil {
		return fmt.Errorf("the program succeeded and left no %s: %w", filepath.Base(got), err)
	}
	if got != d.part {
		if err := os.Rename(got, d.part); err != nil {
			return local(d.part, err)
		}
	}
	s, err := openSpool(d.part, true, 0)
	if err != nil {
		return err
	}
	defer s.file.Close()
	switch begin := make([]byte, pageHead); {
	case d.req.Size > 0 && s.size > d.req.Size:
		err = errTooLarge{d.req.Size}
	case d.isPage(nil, begin[:readAt(s.file, begin)]):
		err = d.mayLack(errPage)
	default:
		err = d.check(s)
	}
	if err != nil {
		return errors.Join(err, dropSpool(s))
	}
	info, err := s.file.Stat()
	if err != nil {
		return local(d.part, err)
	}
	if _, err := s.file.Seek(0, io.SeekEnd); err != nil {
		return local(d.part, err)
	}
	modified := time.Time{}
	if d.req.IfModifiedSince {
		modified = info.ModTime()
	}
	return d.commit(s, raw, modified)
}

func readAt(f io.ReaderAt, begin []byte) int {
	n, _ := f.ReadAt(begin, 0)
	return n
}

// A ProgramError is a download program that failed.
type ProgramError struct {
	Program string
	Exit    int
}

func (e *ProgramError) Error() string {
	return fmt.Sprintf("%s ended with exit code %d", e.Program, e.Exit)
}
