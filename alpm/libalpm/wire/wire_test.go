// SPDX-License-Identifier: GPL-3.0-or-later

package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// dialogue is one line of each type, as both sides write them.
const dialogue = `{"type":"hello","body":{"protocol":1,"libalpm":"13.0.2","capabilities":["downloader"]}}
{"type":"call","id":1,"method":"open","body":{"root":"/mnt","dbpath":"/mnt/var/lib/pacman"}}
{"type":"event","body":{"source":"log","name":"warning","text":"a\nb"}}
{"type":"question","id":1,"body":{"kind":"corrupted","file":"/x"}}
{"type":"answer","id":1,"body":1}
{"type":"fetch","id":2,"body":{"url":"https://example.org/core.db","dir":"/sync"}}
{"type":"fetched","id":2,"body":{"result":1}}
{"type":"error","id":1,"body":{"op":"open","code":"BADPERMS","errno":3,"message":"no"}}
{"type":"result","id":1}
{"type":"interrupt"}
`

func TestDialogueIsReadAndWrittenAsItIs(t *testing.T) {
	r := NewReader(strings.NewReader(dialogue))
	var out bytes.Buffer
	w := NewWriter(&out)
	for {
		m, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != dialogue {
		t.Errorf("written:\n%s\nread:\n%s", out.String(), dialogue)
	}
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	for name, line := range map[string]string{
		"not JSON":               "hello",
		"an array":               "[]",
		"unknown type":           `{"type":"dance"}`,
		"no type":                `{}`,
		"unknown field":          `{"type":"interrupt","why":1}`,
		"two objects":            `{"type":"interrupt"}{"type":"interrupt"}`,
		"a call without id":      `{"type":"call","method":"open"}`,
		"a call without method":  `{"type":"call","id":1}`,
		"a result with a method": `{"type":"result","id":1,"method":"open"}`,
		"an event with an id":    `{"type":"event","id":3}`,
		"a negative id":          `{"type":"result","id":-1}`,
	} {
		var e *SyntaxError
		if _, err := Decode([]byte(line)); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Encode(Message{Type: TypeCall, ID: 1}); err == nil {
		t.Error("a call without a method was written")
	}
}

func TestLinesAreBounded(t *testing.T) {
	r := NewReader(strings.NewReader(`{"type":"event","body":"` + strings.Repeat("x", 200<<10) + `"}` + "\n"))
	r.max = 100 << 10
	if _, err := r.Read(); !errors.Is(err, ErrTooLong) {
		t.Errorf("a line over the limit: %v", err)
	}
	r = NewReader(strings.NewReader(`{"type":"interrupt"}`))
	if _, err := r.Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a line that is cut off: %v", err)
	}
}

func TestDefaultsAreAllowedAnswers(t *testing.T) {
	for _, k := range []QuestionKind{InstallIgnored, ReplacePackage, Conflict, Corrupted, RemovePackages, SelectProvider, ImportKey} {
		q := Question{Kind: k, Choices: []Found{{}}}
		if !q.Allows(q.Default()) || q.Allows(-1) || q.Allows(2) {
			t.Errorf("%s: %d", k, q.Default())
		}
	}
	if (Question{Kind: ImportKey}).Default() != 0 {
		t.Error("a key would be imported unasked")
	}
}

func FuzzDecode(f *testing.F) {
	for line := range strings.Lines(dialogue) {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := Decode(line)
		if err != nil {
			return
		}
		again, err := Encode(m)
		if err != nil {
			t.Fatalf("%q is read and cannot be written: %v", line, err)
		}
		back, err := NewReader(bytes.NewReader(again)).Read()
		if err != nil {
			t.Fatalf("%q: %v", again, err)
		}
		if back.Type != m.Type || back.ID != m.ID || back.Method != m.Method || !sameJSON(back.Body, m.Body) {
			t.Fatalf("%q was read as %+v, written and read as %+v", line, m, back)
		}
		for _, body := range []any{&Config{}, &Event{}, &Question{}, &Error{}, &Plan{}, &Hello{}} {
			_ = m.Decode(body)
		}
	})
}

// sameJSON compares what is meant: writing drops spaces, and escapes.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return len(a) == len(b)
	}
	return reflect.DeepEqual(x, y)
}
