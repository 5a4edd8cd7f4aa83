// SPDX-License-Identifier: GPL-3.0-or-later

package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// qmp speaks QEMU's machine protocol: one JSON object a line, answers in the
// order of the commands, events in between (qemu.org, docs/interop/qmp-spec).
type qmp struct {
	conn   io.ReadWriteCloser
	events func(qmpEvent)

	mu      sync.Mutex // one command at a time
	answers chan qmpAnswer
	ended   chan struct{}
}

type qmpEvent struct {
	Name string
	Data struct {
		Guest  bool   `json:"guest"`
		Reason string `json:"reason"`
	}
}

type qmpAnswer struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
}

var errQMPClosed = errors.New("QEMU has closed its control socket")

// newQMP negotiates; events are delivered from one goroutine, in order.
func newQMP(ctx context.Context, conn io.ReadWriteCloser, events func(qmpEvent)) (*qmp, error) {
	q := &qmp{conn: conn, events: events, answers: make(chan qmpAnswer, 1), ended: make(chan struct{})}
	go q.read()
	if err := q.do(ctx, "qmp_capabilities", nil); err != nil {
		return nil, err
	}
	return q, nil
}

// do runs one command and drops its result.
func (q *qmp) do(ctx context.Context, command string, arguments any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	line, err := json.Marshal(map[string]any{"execute": command, "arguments": orEmpty(arguments)})
	if err != nil {
		return fmt.Errorf("qmp %s: %w", command, err)
	}
	if _, err := q.conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("qmp %s: %w", command, err)
	}
	select {
	case a := <-q.answers:
		if a.Error != nil {
			return fmt.Errorf("qmp %s: %s: %s", command, a.Error.Class, a.Error.Desc)
		}
		return nil
	case <-q.ended:
		return fmt.Errorf("qmp %s: %w", command, errQMPClosed)
	case <-ctx.Done():
		// The answer would be taken for the next command's.
		_ = q.conn.Close()
		return fmt.Errorf("qmp %s: %w", command, context.Cause(ctx))
	}
}

func orEmpty(arguments any) any {
	if arguments == nil {
		return struct{}{}
	}
	return arguments
}

func (q *qmp) read() {
	defer close(q.ended)
	in := bufio.NewReader(q.conn)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var m struct {
			qmpAnswer
			Event string          `json:"event"`
			Data  json.RawMessage `json:"data"`
		}
		if json.Unmarshal(line, &m) != nil {
			continue
		}
		switch {
		case m.Event != "":
			e := qmpEvent{Name: m.Event}
			_ = json.Unmarshal(m.Data, &e.Data) // other events have other data
			q.events(e)
		case m.Return != nil || m.Error != nil:
			q.answers <- m.qmpAnswer
		}
	}
}
