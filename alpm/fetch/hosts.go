// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import "sync"

// maxSoftErrors is after how many failures a host is left alone.
const maxSoftErrors = 3

// A hostTable counts the failures of hosts.
type hostTable struct {
	mu     sync.Mutex
	errors map[string]int
}

// banned tells whether a host is to be left alone.
func (t *hostTable) banned(host string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.errors[host] >= maxSoftErrors
}

// soft counts a failure that may pass: a timeout, a status, a truncated body.
// It reports whether that was one too many.
func (t *hostTable) soft(host string) (banned bool) { return t.add(host, 1) }

// hard bans a host at once.
func (t *hostTable) hard(host string) (banned bool) { return t.add(host, maxSoftErrors) }

func (t *hostTable) add(host string, n int) (banned bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.errors == nil {
		t.errors = make(map[string]int)
	}
	before := t.errors[host]
	t.errors[host] += n
	return before < maxSoftErrors && before+n >= maxSoftErrors
}
