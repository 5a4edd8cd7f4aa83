// SPDX-License-Identifier: GPL-3.0-or-later

// Package journal is the file in which a transaction writes down what it is
// about to do, so that it can be finished or taken back after a cut: a list of
// records, each with its length and checksum, that only grows.
//
// A record counts when it is whole. The first one that is not ends the
// journal: it was being written when the cut came, and nothing that it
// announces has happened, because whoever depends on a record waits for Sync.
// What the records say is the caller's affair; they are JSON, packed with zstd
// where that saves room.
//
// Layout of a record, numbers little-endian: u32 length of what follows after
// the checksum, u32 CRC-32C of that, u8 kind, u8 form (0 JSON, 1 zstd), data.
package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Kind says what a record is about; the caller gives the numbers a meaning.
type Kind uint8

// Record is one entry of a journal.
type Record struct {
	Kind Kind
	data []byte
}

// Decode reads the value of a record.
func (r Record) Decode(v any) error {
	if err := json.Unmarshal(r.data, v); err != nil {
		return fmt.Errorf("read journal record %d: %w", r.Kind, err)
	}
	return nil
}

const (
	headSize = 8
	formJSON = 0
	formZstd = 1
	// packFrom is the size from which packing is worth it.
	packFrom = 1 << 10
	// packWindow keeps the memory for packing small.
	packWindow = 1 << 20
	// maxRecord bounds what is unpacked for one record.
	maxRecord = 1 << 30
)

// Log is an open journal. Its methods may be called by several goroutines.
type Log struct {
	// Step, where it is set, is called before everything that changes the disk
	// and may fail it; tests stop there.
	Step func(what string) error

	path string
	mu   sync.Mutex
	f    *os.File
	pack *zstd.Encoder
}

// Create begins a journal that must not exist yet. It is on disk, empty, when
// Create returns.
func Create(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("begin journal: %w", err)
	}
	l, err := newLog(path, f)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin journal: %w", err), f.Close(), os.Remove(path))
	}
	return l, nil
}

// Open reads a journal and opens it to go on; what was torn at its end is cut
// off. Where there is none the error is fs.ErrNotExist.
func Open(path string) (*Log, []Record, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open journal: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open journal: %w", err), f.Close())
	}
	records, length := Read(data)
	l, err := newLog(path, f)
	if err == nil && length < len(data) {
		err = f.Truncate(int64(length))
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open journal: %w", err), f.Close())
	}
	return l, records, nil
}

func newLog(path string, f *os.File) (*Log, error) {
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(packWindow))
	return &Log{path: path, f: f, pack: pack}, err
}

// Exists tells whether there is a journal.
func Exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Read returns the whole records of a journal and how many bytes they are.
func Read(data []byte) (records []Record, length int) {
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRecord))
	if err != nil {
		return nil, 0
	}
	defer unpack.Close()
	for {
		rest := data[length:]
		if len(rest) < headSize {
			return records, length
		}
		size := int(binary.LittleEndian.Uint32(rest))
		if size < 2 || size > len(rest)-headSize {
			return records, length
		}
		body := rest[headSize : headSize+size]
		if crc32.Checksum(body, castagnoli()) != binary.LittleEndian.Uint32(rest[4:]) {
			return records, length
		}
		r := Record{Kind: Kind(body[0]), data: body[2:]}
		if body[1] == formZstd {
			if r.data, err = unpack.DecodeAll(r.data, nil); err != nil {
				return records, length
			}
		}
		records = append(records, r)
		length += headSize + size
	}
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Append writes a record. It counts after the next Sync.
func (l *Log) Append(kind Kind, v any) error {
	// An Encoder hands its buffer over in one piece, and Marshal a copy of it,
	// which is large for a package of many files.
	err := json.NewEncoder(piece(func(data []byte) error { return l.append(kind, data) })).Encode(v)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// piece is a writer that is called once.
type piece func(data []byte) error

func (p piece) Write(data []byte) (int, error) { return len(data), p(data) }

func (l *Log) append(kind Kind, data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	record := append(make([]byte, headSize, headSize+packFrom), byte(kind), formJSON)
	if len(data) < packFrom {
		record = append(record, data...)
	} else {
		record[headSize+1] = formZstd
		record = l.pack.EncodeAll(data, record)
	}
	body := record[headSize:]
	binary.LittleEndian.PutUint32(record, uint32(len(body)))
	binary.LittleEndian.PutUint32(record[4:], crc32.Checksum(body, castagnoli()))
	if err := l.step("append"); err != nil {
		return err
	}
	_, err := l.f.Write(record)
	return err
}

// Sync makes all records so far last.
func (l *Log) Sync() error {
	err := l.step("sync")
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// Remove ends the journal for good and closes it.
func (l *Log) Remove() error {
	err := l.step("remove")
	if err == nil {
		err = os.Remove(l.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(l.path))
	}
	if err = errors.Join(err, l.Close()); err != nil {
		return fmt.Errorf("end journal: %w", err)
	}
	return nil
}

// Close closes the file and leaves it, for another time.
func (l *Log) Close() error { return errors.Join(l.pack.Close(), l.f.Close()) }

func (l *Log) step(what string) error {
	if l.Step == nil {
		return nil
	}
	return l.Step("journal " + what)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
