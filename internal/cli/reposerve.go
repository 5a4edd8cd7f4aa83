// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow/repos"
)

const repoServeLong = `Serve hands out the repository in DIR, or the repositories in the folders below it,
by HTTP: packages, databases and signatures, and no other file. It is for tests and
for a handful of machines on a network of their own: there is no encryption, and
whoever reaches the address may fetch. Let signatures tell what is genuine.

It writes a line for each request, and ends on Ctrl-C or SIGTERM, after giving
downloads a few seconds.`

func repoServe(s *session) *cobra.Command {
	r := repos.Serving{}
	cmd := &cobra.Command{
		Use:   "serve DIR",
		Short: "Hand out repositories by HTTP",
		Long:  repoServeLong,
		Example: `  rastos repo serve /srv/repo
  rastos repo serve /srv/repo --listen 192.0.2.1:8080
  rastos repo serve . --listen localhost:0 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Dir = args[0]
			log := &accessLog{s: s}
			return repos.Of(s.Machine).Serve(cmd.Context(), r, log.ready(r.Dir), log.served)
		},
	}
	cmd.Flags().StringVar(&r.Listen, "listen", "localhost:8080", "the `address` to answer at, HOST:PORT; without a host: at all of the machine's")
	return cmd
}

// accessLog writes a line for each request; they come from many goroutines.
type accessLog struct {
	s  *session
	mu sync.Mutex
}

func (l *accessLog) ready(dir string) func(string) {
	return func(url string) {
		l.write(struct {
			Serving string `json:"serving"`
			URL     string `json:"url"`
		}{dir, url}, fmt.Sprintf("serving %s at %s", dir, url))
	}
}

func (l *accessLog) served(r repos.Served) {
	client, _, err := net.SplitHostPort(r.Client)
	if err != nil {
		client = r.Client
	}
	line := fmt.Sprintf("%s %s %s %q %d %d", r.Time.Local().Format("2006-01-02 15:04:05"), client, r.Method, r.Path, r.Status, r.Bytes)
	if r.Reason != "" {
		line += " " + r.Reason
	}
	l.write(struct {
		Time    time.Time `json:"time"`
		Client  string    `json:"client"`
		Method  string    `json:"method"`
		Path    string    `json:"path"`
		Status  int       `json:"status"`
		Bytes   int64     `json:"bytes"`
		Seconds float64   `json:"seconds"`
		Agent   string    `json:"agent,omitempty"`
		Reason  string    `json:"reason,omitempty"`
	}{r.Time.UTC(), client, r.Method, r.Path, r.Status, r.Bytes, r.Took.Seconds(), r.Agent, r.Reason}, line)
}

func (l *accessLog) write(value any, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.s.flags.json {
		fmt.Fprintln(l.s.Stdout, line)
		return
	}
	if data, err := json.Marshal(value); err == nil {
		fmt.Fprintf(l.s.Stdout, "%s\n", data)
	}
}
