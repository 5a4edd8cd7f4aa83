// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/rastos/rastos/alpm/fetch"
)

// fetcher makes a Fetcher with the settings of the Env's and events of ours.
func (e *Env) fetcher(events func(fetch.Event)) *fetch.Fetcher {
	if e.Fetcher == nil {
		return &fetch.Fetcher{Events: events}
	}
	return e.Fetcher.Like(events)
}

// urls are the places of a file of a repository on its servers.
func (e *Env) urls(r *Repo, servers []string, file string) []string {
	var out []string
	for _, s := range servers {
		s = strings.NewReplacer("$repo", r.Name, "$arch", e.Arch).Replace(s)
		out = append(out, strings.TrimSuffix(s, "/")+"/"+escapePath(file))
	}
	return out
}

// escapePath quotes what a file name may hold and a URL may not ("+" and ":"
// stay: mirrors serve them as they are).
func escapePath(file string) string {
	return strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23", " ", "%20").Replace(file)
}

// mirrorEvent words what a mirror did wrong.
func mirrorEvent(ev fetch.Event) Event {
	e := Event{Kind: EventWarning, Name: ev.Name, About: AboutMirror, Args: []string{hostOf(ev.URL)}, Err: ev.Err,
		Text: fmt.Sprintf("mirror %s: %v", ev.URL, ev.Err)}
	if ev.Kind == fetch.Banned {
		e.About, e.Text = AboutBanned, fmt.Sprintf("%s failed too often and is left alone from now on", e.Args[0])
	}
	return e
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "disk"
	}
	return u.Host
}
