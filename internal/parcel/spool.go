// SPDX-License-Identifier: GPL-3.0-or-later

package parcel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// File is what a Spool is kept in.
type File interface {
	io.ReadWriteSeeker
	Truncate(size int64) error
	Sync() error
}

// syncEvery is how many bytes of a spool a power cut may cost.
const syncEvery = 64 << 20

// Spool is a parcel in a file that may be incomplete, and can be continued.
type Spool struct {
	f    File
	head []byte
	at   Point
	size int64
	done bool
}

// OpenSpool finds out how much of a parcel a file holds, verifying each piece,
// and cuts off what is not whole. One of another parcel is emptied.
func OpenSpool(f File, h Header) (*Spool, error) {
	var head bytes.Buffer
	w, err := NewWriter(&head, h, Point{})
	if err != nil {
		return nil, err
	}
	s := &Spool{f: f, head: w.head, at: w.at}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	begin := make([]byte, len(s.head))
	_, err = io.ReadFull(f, begin)
	if err != nil || !bytes.Equal(begin, s.head) {
		return s, s.Restart()
	}
	r, err := NewReader(io.MultiReader(bytes.NewReader(begin), f))
	if err != nil {
		return nil, err
	}
	good := int64(len(begin))
	for {
		frame, _, err := r.Next()
		var bad *DamagedError
		switch {
		case err == io.EOF:
			s.done = true
			return s, nil
		case errors.As(err, &bad):
			if err := f.Truncate(good); err != nil {
				return nil, err
			}
			_, err := f.Seek(good, io.SeekStart)
			return s, err
		case err != nil:
			return nil, err
		}
		good += int64(len(frame))
		s.at, s.size = r.Point()
	}
}

// Point is where it can be continued.
func (s *Spool) Point() Point { return s.at }

// Complete tells that nothing is missing.
func (s *Spool) Complete() bool { return s.done }

// Restart empties it.
func (s *Spool) Restart() error {
	if err := s.f.Truncate(0); err != nil {
		return err
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	w, err := NewReader(bytes.NewReader(s.head))
	if err != nil {
		return err
	}
	s.at, s.size = w.Point()
	s.done = false
	_, err = s.f.Write(s.head)
	return err
}

// Fill adds the pieces of a parcel that goes on where the spool ends, or begins
// anew. It is durable when Fill returns without an error.
func (s *Spool) Fill(r *Reader) error {
	if r.From == 0 && s.at.Pieces > 0 {
		if err := s.Restart(); err != nil {
			return err
		}
	}
	if err := r.Continue(s.at, s.size); err != nil {
		return err
	}
	unsynced := 0
	for {
		frame, _, err := r.Next()
		if err == io.EOF {
			return s.end(r)
		}
		if err != nil {
			return errors.Join(err, s.f.Sync()) // what came may be continued
		}
		if _, err := s.f.Write(frame); err != nil {
			return err
		}
		s.at, s.size = r.Point()
		if unsynced += len(frame); unsynced >= syncEvery {
			if err := s.f.Sync(); err != nil {
				return err
			}
			unsynced = 0
		}
	}
}

func (s *Spool) end(r *Reader) error {
	t, _ := r.Trailer()
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if _, err := s.f.Write(endFrame(text)); err != nil {
		return err
	}
	s.done = true
	return s.f.Sync()
}

// Open reads the whole parcel.
func (s *Spool) Open() (*Reader, error) {
	if !s.done {
		return nil, fmt.Errorf("node parcel: it is not complete")
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return NewReader(s.f)
}
