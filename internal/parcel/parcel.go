// SPDX-License-Identifier: GPL-3.0-or-later

package parcel

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

const (
	magic = "rastos-parcel 1\n"
	// PieceSize is how much of the stream one piece holds, at most.
	PieceSize = 4 << 20
	// maxHeader bounds what a stranger's parcel makes us hold.
	maxHeader = 1 << 20
)

// Header says what travels.
type Header struct {
	ID     string          `json:"id"`               // of the node, the same on all machines that have it
	Parent string          `json:"parent,omitempty"` // of the node that the stream builds on; "": none
	Node   json.RawMessage `json:"node"`             // its node.json
}

// Trailer says that all has been said.
type Trailer struct {
	Pieces int    `json:"pieces"`
	Size   int64  `json:"size"` // bytes of the stream
	Digest string `json:"digest"`
}

// Digest stands for a parcel up to some piece.
type Digest [sha256.Size]byte

// String writes it in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText makes it hex in JSON.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads it again.
func (d *Digest) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(d) {
		return fmt.Errorf("%q is no SHA-256 digest", text)
	}
	copy(d[:], b)
	return nil
}

func (d Digest) next(piece []byte) Digest {
	h := sha256.New()
	h.Write(d[:])
	h.Write(piece)
	return Digest(h.Sum(nil))
}

// Point is a place between two pieces.
type Point struct {
	Pieces int    `json:"pieces"`
	Digest Digest `json:"digest"`
}

// DamagedError says that bytes are no parcel, or not as they were sent.
type DamagedError struct{ What string }

func (e *DamagedError) Error() string { return "node parcel: " + e.What }

// Hint says what to do.
func (e *DamagedError) Hint() string {
	return "it was cut or damaged on its way; get it again"
}

// ExitCode is that of what could not be verified.
func (e *DamagedError) ExitCode() int { return 5 }

// DivergedError says that the sender no longer comes to what the receiver has.
type DivergedError struct{ At Point }

func (e *DivergedError) Error() string {
	return fmt.Sprintf("node parcel: it cannot be continued after piece %d, which is another now", e.At.Pieces)
}
