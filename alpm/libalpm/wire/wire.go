// SPDX-License-Identifier: GPL-3.0-or-later

// Package wire is the protocol between rastos and rastos-libalpm, the helper
// that is linked with the system's libalpm.
//
// It goes over the helper's standard input and output, one JSON object a line
// in each direction (RFC 8259, UTF-8, no line break inside), at most
// MaxMessage bytes. An object has a type, mostly an id, perhaps a method and a
// body:
//
//	{"type":"hello","body":{"protocol":1,"libalpm":"13.0.2"}}
//
// The helper speaks first and says hello; the client answers with its own
// hello, and either side ends it when the protocols differ. Then the client
// makes calls, one at a time, each with a new id. The helper answers a call
// with a result or an error of the same id, and before that may send events,
// and questions and fetches with ids of its own, which the client answers with
// an answer or a fetched of that id. An interrupt may come at any time and has
// no id: the call at hand ends as soon as libalpm lets it. When its standard
// input ends, the helper takes that as an interrupt, and ends.
//
//	client                          helper
//	                            ←   hello
//	hello                       →
//	call 1 "open"               →
//	                            ←   result 1
//	call 2 "transaction.prepare" →
//	                            ←   event
//	                            ←   question 7
//	answer 7                    →
//	                            ←   result 2
//
// The methods and their bodies are in methods.go. A number of Protocol stands
// for all of it: there is no negotiation, as both programs are built together.
package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Protocol is the version of what this package describes.
const Protocol = 1

// MaxMessage bounds one line. The largest messages are lists of all packages
// of a repository, which take tens of megabytes.
const MaxMessage = 256 << 20

// Type says what a message is.
type Type string

// The types, with their direction and whether they have an id.
const (
	TypeHello     Type = "hello"     // both, no id: Hello
	TypeCall      Type = "call"      // to the helper: what the method takes
	TypeResult    Type = "result"    // to the client: what the method gives
	TypeError     Type = "error"     // to the client: Error
	TypeEvent     Type = "event"     // to the client, no id: Event
	TypeQuestion  Type = "question"  // to the client: Question
	TypeAnswer    Type = "answer"    // to the helper: a number
	TypeFetch     Type = "fetch"     // to the client: Fetch
	TypeFetched   Type = "fetched"   // to the helper: Fetched
	TypeInterrupt Type = "interrupt" // to the helper, no id, no body
)

// hasID tells of each type whether it has an id.
var hasID = map[Type]bool{
	TypeHello: false, TypeCall: true, TypeResult: true, TypeError: true, TypeEvent: false, TypeQuestion: true,
	TypeAnswer: true, TypeFetch: true, TypeFetched: true, TypeInterrupt: false,
}

// Message is one line.
type Message struct {
	Type   Type            `json:"type"`
	ID     uint64          `json:"id,omitempty"`
	Method Method          `json:"method,omitempty"` // of a call
	Body   json.RawMessage `json:"body,omitempty"`
}

// New makes a message with a body; nil: without one.
func New(t Type, id uint64, body any) (Message, error) {
	m := Message{Type: t, ID: id}
	if body == nil {
		return m, nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		return m, fmt.Errorf("encode the body of a message of type %s: %w", t, err)
	}
	m.Body = data
	return m, nil
}

// Decode reads the body into v.
func (m Message) Decode(v any) error {
	if err := json.Unmarshal(m.Body, v); err != nil {
		return &SyntaxError{fmt.Errorf("body of a message of type %s: %w", m.Type, err)}
	}
	return nil
}

// SyntaxError is a line that is no message.
type SyntaxError struct{ Err error }

func (e *SyntaxError) Error() string { return fmt.Sprintf("not a message of the protocol: %v", e.Err) }
func (e *SyntaxError) Unwrap() error { return e.Err }

// ErrTooLong is a line over MaxMessage.
var ErrTooLong = fmt.Errorf("longer than %d bytes", MaxMessage)

// check says what is wrong with a message.
func (m Message) check() error {
	id, known := hasID[m.Type]
	switch {
	case !known:
		return fmt.Errorf("unknown type %q", m.Type)
	case id && m.ID == 0:
		return fmt.Errorf("a message of type %s without an id", m.Type)
	case !id && m.ID != 0:
		return fmt.Errorf("a message of type %s with an id", m.Type)
	case (m.Type == TypeCall) != (m.Method != ""):
		return errors.New("calls have a method, other messages have none")
	}
	return nil
}

// Encode writes a message as a line, the line break included.
func Encode(m Message) ([]byte, error) {
	err := m.check()
	var data []byte
	if err == nil {
		data, err = json.Marshal(m)
	}
	if err == nil && len(data) > MaxMessage {
		err = ErrTooLong
	}
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return append(data, '\n'), nil
}

// Decode reads a line, with or without the line break. The error is a
// *SyntaxError.
func Decode(line []byte) (Message, error) {
	var m Message
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	err := d.Decode(&m)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the object")
		}
	}
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return Message{}, &SyntaxError{err}
	}
	return m, nil
}

// Reader reads messages.
type Reader struct {
	r   *bufio.Reader
	max int
}

// NewReader reads messages from r.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 64<<10), MaxMessage} }

// Read returns the next message. At the end of the stream it returns io.EOF;
// what follows a *SyntaxError cannot be trusted.
func (r *Reader) Read() (Message, error) {
	var line []byte
	for {
		part, err := r.r.ReadSlice('\n')
		if len(line)+len(part) > r.max {
			return Message{}, &SyntaxError{ErrTooLong}
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return Decode(line)
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return Message{}, &SyntaxError{io.ErrUnexpectedEOF}
		default:
			return Message{}, err
		}
	}
}

// Writer writes messages. Several goroutines may use it.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewWriter writes messages to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes one message, at once.
func (w *Writer) Write(m Message) error {
	line, err := Encode(m)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.w.Write(line)
	return err
}

// Send makes and writes a message.
func (w *Writer) Send(t Type, id uint64, body any) error {
	m, err := New(t, id, body)
	if err != nil {
		return err
	}
	return w.Write(m)
}
