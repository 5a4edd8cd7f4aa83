// SPDX-License-Identifier: GPL-3.0-or-later

package parcel

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func header() Header {
	return Header{ID: "a", Parent: "b", Node: []byte(`{"number":7}`)}
}

// content is a stream of some pieces, of which a part can be compressed.
func content(size int) []byte {
	rnd := rand.NewChaCha8([32]byte{1})
	out := make([]byte, size)
	_, _ = rnd.Read(out[:size/2])
	return out
}

func pack(t testing.TB, stream []byte, after Point) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, header(), after)
	if err != nil {
		t.Fatal(err)
	}
	for part := range bytes.SplitAfterSeq(stream, []byte{7}) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func unpack(data []byte) ([]byte, Header, error) {
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, Header{}, err
	}
	out, err := io.ReadAll(r)
	return out, r.Header, err
}

func TestAParcelArrives(t *testing.T) {
	for _, size := range []int{0, 1, PieceSize, PieceSize + 1, 3*PieceSize + 77} {
		want := content(size)
		got, h, err := unpack(pack(t, want, Point{}))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d came, %v", size, len(got), err)
		}
		if diff := cmp.Diff(header(), h); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAParcelIsContinued(t *testing.T) {
	stream := content(3*PieceSize + 77)
	whole := pack(t, stream, Point{})
	r, err := NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	var had []byte
	for range 2 {
		_, piece, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		had = append(had, piece...)
	}
	at, size := r.Point()
	rest := pack(t, stream, at)
	if len(rest) > len(whole)*2/3 {
		t.Errorf("the rest has %d bytes of %d", len(rest), len(whole))
	}
	r, err = NewReader(bytes.NewReader(rest))
	if err != nil || r.From != 2 {
		t.Fatalf("it leaves out %d, %v", r.From, err)
	}
	if err := r.Continue(Point{Pieces: 1}, 0); err == nil {
		t.Error("it was continued after another piece")
	}
	if err := r.Continue(at, size); err != nil {
		t.Fatal(err)
	}
	more, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(had, more...), stream) {
		t.Errorf("%d and %d bytes, %v", len(had), len(more), err)
	}
	if end, ok := r.Trailer(); !ok || end.Pieces != 4 || end.Size != int64(len(stream)) {
		t.Errorf("the end is %+v", end)
	}

	stream[0]++ // the sender's stream is another one now
	w, err := NewWriter(io.Discard, header(), at)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(stream)
	var diverged *DivergedError
	if !errors.As(err, &diverged) {
		t.Errorf("another stream was continued: %v", err)
	}
	w, _ = NewWriter(io.Discard, header(), at)
	if _, err = w.Close(); !errors.As(err, &diverged) {
		t.Errorf("a shorter stream was continued: %v", err)
	}
}

func TestWhatIsDamagedIsRefused(t *testing.T) {
	good := pack(t, content(2*PieceSize), Point{})
	damaged := func(what string, data []byte) {
		t.Helper()
		_, _, err := unpack(data)
		var bad *DamagedError
		if !errors.As(err, &bad) || bad.ExitCode() != 5 {
			t.Errorf("%s: %v", what, err)
		}
	}
	for cut := 0; cut < len(good); cut += 1 + cut/3 {
		damaged("cut", good[:cut])
	}
	for i := 0; i < len(good); i += 1 + i/7 {
		bad := bytes.Clone(good)
		bad[i] ^= 4
		if i >= len(magic) && i < len(magic)+4 {
			continue // what is left out: Continue says whether that fits
		}
		damaged("flipped", bad)
	}
	// Pieces in another order, or one twice, are whole each.
	var frames [][]byte
	r, err := NewReader(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, _, err := r.Next()
		if err == io.EOF {
			break
		}
		frames = append(frames, bytes.Clone(frame))
	}
	head := good[:bytes.Index(good, frames[0])]
	end := good[bytes.Index(good, frames[1])+len(frames[1]):]
	damaged("swapped", bytes.Join([][]byte{head, frames[1], frames[0], end}, nil))
	damaged("twice", bytes.Join([][]byte{head, frames[0], frames[0], end}, nil))
	damaged("one missing", bytes.Join([][]byte{head, frames[0], end}, nil))
}

func TestASpoolGoesOnAfterAnyCut(t *testing.T) {
	stream := content(3*PieceSize + 77)
	whole := pack(t, stream, Point{})
	for _, cut := range []int{0, 5, 40, 5000, len(whole) / 3, len(whole) / 2, len(whole) - 200, len(whole) - 3, len(whole)} {
		f, err := os.Create(filepath.Join(t.TempDir(), "spool"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(whole[:cut]); err != nil {
			t.Fatal(err)
		}
		s, err := OpenSpool(f, header())
		if err != nil {
			t.Fatal(err)
		}
		if !s.Complete() {
			r, err := NewReader(bytes.NewReader(pack(t, stream, s.Point())))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Fill(r); err != nil {
				t.Fatalf("cut after %d: %v", cut, err)
			}
		}
		got, err := os.ReadFile(f.Name())
		if err != nil || !bytes.Equal(got, whole) || !s.Complete() {
			t.Errorf("cut after %d: the spool has %d bytes of %d, %v", cut, len(got), len(whole), err)
		}
		if again, err := OpenSpool(f, header()); err != nil || !again.Complete() {
			t.Errorf("cut after %d: opened again it is not complete: %v", cut, err)
		}
		other := header()
		other.ID = "another"
		if s, err := OpenSpool(f, other); err != nil || s.Complete() || s.Point().Pieces != 0 {
			t.Errorf("it was taken for another parcel: %v", err)
		}
	}
}

// FuzzReader holds that no input makes the reader panic or hold much, and that
// what it accepts can be packed again.
func FuzzReader(f *testing.F) {
	f.Add(pack(f, []byte("some stream"), Point{}))
	f.Add(pack(f, nil, Point{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		stream, _, err := unpack(data)
		if err != nil {
			return
		}
		again, _, err := unpack(pack(t, stream, Point{}))
		if err != nil || !bytes.Equal(again, stream) {
			t.Fatalf("%d bytes, %d again: %v", len(stream), len(again), err)
		}
	})
}
