// SPDX-License-Identifier: GPL-3.0-or-later

package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Served is one answer of a Server.
type Served struct {
	Time          time.Time
	Client        string // address
	Method, Path  string
	Status        int
	Bytes         int64 // of the body
	Took          time.Duration
	Agent, Reason string // the client's name for itself; why nothing was served
}

// A Server hands a folder of repositories out by HTTP: the packages, databases
// and signatures in it and in the folders below, and nothing else.
//
// Requests may be conditional (ETag, If-Modified-Since) and for ranges. Links
// are followed as long as they stay in the folder. There are no listings.
type Server struct {
	Root *os.Root
	// Log, if set, hears of each answer; it is called from many goroutines.
	Log func(Served)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

const (
	headerWait = 10 * time.Second
	idleWait   = 2 * time.Minute
	// farewell is how long downloads may go on after Serve was told to end.
	farewell = 5 * time.Second
)

// Serve answers at l until ctx ends; downloads that are under way then may
// take a few seconds more. It closes l, and returns nil when it ended because
// of ctx.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headerWait, IdleTimeout: idleWait, MaxHeaderBytes: 32 << 10,
	}
	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limited, done := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer done()
		err := server.Shutdown(limited)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close() // who is slower than that asks again
		}
		ended <- err
	})
	err := server.Serve(l)
	if stop() { // it failed by itself
		return fmt.Errorf("serve repositories: %w", errors.Join(err, server.Close()))
	}
	return <-ended
}

// served are the names of files that are handed out: packages, databases by
// their full and their short names, and the signatures of both.
var served = regexp.MustCompile(`^[^.].*(\.pkg\.tar(\.[a-z0-9]+)?|\.(db|files)(\.tar(\.[a-z0-9]+)?)?)(\.sig)?$`)

// refusal is a request that gets no file.
type refusal struct {
	status int
	reason string
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.now()
	counted := &countingWriter{ResponseWriter: w}
	reason := ""
	if no := s.answer(counted, r); no != nil {
		reason = no.reason
		http.Error(counted, http.StatusText(no.status), no.status)
	}
	if s.Log == nil {
		return
	}
	s.Log(Served{
		Time: began, Client: r.RemoteAddr, Method: r.Method, Path: r.URL.Path, Status: counted.status,
		Bytes: counted.bytes, Took: s.now().Sub(began), Agent: r.UserAgent(), Reason: reason,
	})
}

func (s *Server) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) *refusal {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return &refusal{http.StatusMethodNotAllowed, "only read from"}
	}
	name, ok := servedName(r.URL.Path)
	if !ok {
		return &refusal{http.StatusNotFound, "no name of a package, database or signature"}
	}
	// A pipe of such a name would hold the server up.
	f, err := s.Root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &refusal{http.StatusNotFound, "not there"}
	case errors.Is(err, fs.ErrPermission):
		return &refusal{http.StatusForbidden, "not for this server to read"}
	case err != nil: // a link out of the folder is one of these
		return &refusal{http.StatusNotFound, err.Error()}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return &refusal{http.StatusInternalServerError, err.Error()}
	}
	if !info.Mode().IsRegular() {
		return &refusal{http.StatusNotFound, "no file"}
	}
	s.send(w, r, f, info)
	return nil
}

// send sends a file, or what is asked for of it. Its tag tells versions of a
// database apart exactly. Times do not, as HTTP's have seconds: of a file
// that is younger than that a version may be replaced without its time showing
// it. So nobody is told that such a file has not changed by its time, and the
// time that comes with it lets the next request fetch it again.
func (s *Server) send(w http.ResponseWriter, r *http.Request, f *os.File, info fs.FileInfo) {
	changed := info.ModTime()
	h := w.Header()
	h.Set("ETag", tagOf(info))
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache") // kept, and asked about before it is used
	if age := s.now().Sub(changed); age >= 0 && age < 2*time.Second {
		changed = changed.Add(-time.Second)
		r.Header.Del("If-Modified-Since")
		r.Header.Del("If-Unmodified-Since")
		if since := r.Header.Get("If-Range"); !strings.HasPrefix(since, `"`) {
			r.Header.Del("If-Range")
			if since != "" {
				r.Header.Del("Range")
			}
		}
	}
	http.ServeContent(w, r, "", changed, f)
}

// tagOf is a name for the content of a file: databases are replaced by rename,
// so that each version has a number, a size and a time of its own.
func tagOf(info fs.FileInfo) string {
	var number uint64
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		number = stat.Ino
	}
	return fmt.Sprintf(`"%x-%x-%x"`, number, info.Size(), info.ModTime().UnixNano())
}

// servedName is the file that a path of a URL means.
func servedName(urlPath string) (string, bool) {
	name, ok := strings.CutPrefix(urlPath, "/")
	if !ok || name != path.Clean(name) || !fs.ValidPath(name) || strings.ContainsAny(name, "\x00\\") {
		return "", false
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") {
			return "", false
		}
	}
	return name, served.MatchString(path.Base(name))
}

// countingWriter notes what is answered.
type countingWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets net/http find what else the writer can do.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
