// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A watchdog cancels an exchange in which the server is silent for too long.
// (A limit on the whole exchange would forbid large files on slow lines.)
type watchdog struct {
	timer  *time.Timer
	limit  time.Duration
	cancel context.CancelCauseFunc
}

func newWatchdog(parent context.Context, limit time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watchdog{limit: limit, cancel: cancel}
	if limit > 0 {
		w.timer = time.AfterFunc(limit, func() { cancel(errStalled) })
	}
	return ctx, w
}

// feed says that something came.
func (w *watchdog) feed() {
	if w.timer != nil {
		w.timer.Reset(w.limit)
	}
}

func (w *watchdog) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.cancel(nil)
}

// explain replaces the "context canceled" of a stalled exchange.
func (w *watchdog) explain(ctx context.Context, err error) error {
	if !errors.Is(context.Cause(ctx), errStalled) {
		return err
	}
	stalled := fmt.Errorf("the server sent nothing for %v", w.limit)
	if errors.Is(err, errTruncated) {
		return fmt.Errorf("%w: %w", errTruncated, stalled)
	}
	return stalled
}
