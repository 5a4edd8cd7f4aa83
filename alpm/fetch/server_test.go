// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// payload is n bytes that look like no text and repeat nowhere.
func payload(seed int64, n int) []byte {
	p := make([]byte, n)
	rand.New(rand.NewSource(seed)).Read(p)
	return p
}

func digest(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

// mirror serves files by name, with ranges and conditions as real servers do.
type mirror struct {
	*httptest.Server
	hits  atomic.Int64
	bytes atomic.Int64
	mu    sync.Mutex
	saw   []*http.Request
}

func serve(t *testing.T, handle func(w http.ResponseWriter, r *http.Request)) *mirror {
	t.Helper()
	m := &mirror{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.hits.Add(1)
		m.mu.Lock()
		m.saw = append(m.saw, r)
		m.mu.Unlock()
		handle(countingWriter{w, &m.bytes}, r)
	}))
	t.Cleanup(m.Close)
	return m
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n.Add(int64(n))
	return n, err
}

var stamp = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

func content(files map[string][]byte) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", stamp, bytes.NewReader(data))
	}
}

// breakOff announces the whole file and sends only n bytes of it.
func breakOff(data []byte, n int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:n])
		w.(countingWriter).ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func mustContain(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: %d bytes that differ from the %d wanted", path, len(got), len(want))
	}
}

// onlyFiles fails unless exactly these names are in dir.
func onlyFiles(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Fatalf("files %q, want %q", got, names)
	}
}

func exitCode(err error) int {
	var coder interface{ ExitCode() int }
	if errors.As(err, &coder) {
		return coder.ExitCode()
	}
	return 1
}

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
