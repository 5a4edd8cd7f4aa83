// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"time"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/keyring/lookup"
	"github.com/rastos/rastos/internal/report"
)

// DefaultKeyServer is asked for keys that no web key directory has.
const DefaultKeyServer = "hkps://keyserver.ubuntu.com"

// KeyringRefresh says where news of keys is looked for.
type KeyringRefresh struct {
	KeyringPlace
	Names     []string // as for ListKeyring; none: all keys
	Server    string   // a key server
	Directory string   // a mirror of web key directories; "": the domains' own
}

// KeyringRefreshed is what came of it, by fingerprint.
type KeyringRefreshed struct {
	Folder  string          `json:"folder"`
	Asked   int             `json:"asked"`
	Updated []string        `json:"updated"`
	Failed  []KeyNotFetched `json:"failed"`
}

// Failure is an error if nobody had an answer for any key.
func (r *KeyringRefreshed) Failure() error {
	if r.Asked == 0 || len(r.Failed) < r.Asked {
		return nil
	}
	return report.WithHint(errors.New("there was no answer for any key"), "--server asks another key server; is the network there?")
}

// KeyNotFetched is a key for which nobody had an answer.
type KeyNotFetched struct {
	Key   string `json:"key"`
	User  string `json:"user"`
	Error string `json:"error"`
}

// keyWait is how long one answer may take.
const keyWait = 10 * time.Second

// RefreshKeyring looks for news of the keys of a keyring: longer lifetimes,
// revocations, new subkeys. Each is looked for in the web key directory of its
// addresses, then on the key server. The keyring's own key is nobody else's
// business. A key without an answer is told and does not stop the others.
func (m *Machine) RefreshKeyring(ctx context.Context, sink report.Sink, r KeyringRefresh) (*KeyringRefreshed, error) {
	if err := lookup.CheckServer(r.Server); err != nil {
		return nil, report.WithHint(err, "write it as hkps://keys.example.org")
	}
	wanted, err := m.ListKeyring(r.KeyringPlace, r.Names)
	if err != nil {
		return nil, err
	}
	out := &KeyringRefreshed{Updated: []string{}, Failed: []KeyNotFetched{}}
	client := &lookup.Client{Server: r.Server, Directory: r.Directory}
	err = m.changeKeyring(r.KeyringPlace, "refresh", false, func(_, folder string, files keyring.Files) error {
		out.Folder = folder
		home, err := keyring.OpenHome(files, m.Now)
		if err != nil {
			return err
		}
		own := home.MasterKey()
		task := report.Begin(sink, "look for news", int64(len(wanted.Keys)), report.Items)
		for i, k := range wanted.Keys {
			task.Progress(int64(i))
			if k.Fingerprint == own {
				continue
			}
			out.Asked++
			news, err := refreshKey(ctx, client, home, k)
			switch {
			case ctx.Err() != nil:
				task.End(ctx.Err(), "")
				return context.Cause(ctx)
			case err != nil:
				out.Failed = append(out.Failed, KeyNotFetched{k.Fingerprint, userOf(k), err.Error()})
			case news:
				out.Updated = append(out.Updated, k.Fingerprint)
			}
		}
		task.End(nil, fmt.Sprintf("%d asked for, %d with news", out.Asked, len(out.Updated)))
		return nil
	})
	return out, err
}

// refreshKey asks until somebody has the very key.
func refreshKey(ctx context.Context, client *lookup.Client, home *keyring.Home, k keyring.Key) (bool, error) {
	asks := []func(context.Context) ([]byte, error){}
	for _, user := range k.Users {
		if who, err := mail.ParseAddress(user); err == nil {
			asks = append(asks, func(ctx context.Context) ([]byte, error) { return client.ByAddress(ctx, who.Address) })
		}
	}
	asks = append(asks, func(ctx context.Context) ([]byte, error) { return client.ByFingerprint(ctx, k.Fingerprint) })
	var failed error
	for _, ask := range asks {
		limited, done := context.WithTimeout(ctx, keyWait)
		data, err := ask(limited)
		done()
		if err == nil {
			if !keyring.Holds(data, k.Fingerprint) {
				err = errors.New("the answer is another key")
			} else {
				return home.Refresh(k.Fingerprint, data)
			}
		}
		failed = errors.Join(failed, err)
	}
	return false, fmt.Errorf("key %s: %w", k.Fingerprint, failed)
}
