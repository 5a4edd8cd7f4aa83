// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/host/fsroot"
)

// homeStore is the pacman home of a lab, to be filled.
type homeStore struct {
	dir string
	err error // it cannot be written
}

func (h homeStore) Populate(keyrings []keyring.Keyring) (*keyring.Populated, error) {
	if h.err != nil {
		return nil, h.err
	}
	files, err := fsroot.Open(h.dir)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	home, err := keyring.OpenHome(files, func() time.Time { return epoch.Add(time.Hour) })
	if err != nil {
		return nil, err
	}
	return home.Populate(keyrings)
}

// filling lets changes fill the lab's home.
func (k *keyLab) filling(store trans.KeyStore) {
	was := k.lab.env
	k.lab.env = func(e *trans.Env) { was(e); e.Keys = store }
}

func (k *keyLab) told(kind trans.EventKind) (out []trans.Event) {
	for _, e := range k.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// trusts tells what the home on the disk thinks of a key.
func (k *keyLab) trusts(s *keyring.Signer) string {
	k.t.Helper()
	ring, err := keyring.Load(k.home)
	must(k.t, err)
	ring.Now = func() time.Time { return epoch.Add(time.Hour) }
	for _, key := range ring.Keys() {
		switch {
		case key.Fingerprint != s.Fingerprint():
		case key.Disabled:
			return "disabled"
		default:
			return key.Validity
		}
	}
	return "unknown"
}

// TestLearnedKeysGetIntoTheKeyring: without any scriptlet, and it is told which
// keys came from which package and what they vouch for.
func TestLearnedKeysGetIntoTheKeyring(t *testing.T) {
	for _, durable := range []bool{false, true} {
		t.Run(fmt.Sprintf("durable %v", durable), func(t *testing.T) {
			k := newKeyLab(t)
			k.durable = durable
			k.filling(homeStore{dir: k.home})
			k.offer(map[string]*keyring.Signer{"distro-keyring": k.old, "a": k.young}, k.keyringPackage, spec{info: "a 2-1"})
			plan := k.run(trans.Request{SysUpgrade: true})
			want := []trans.Lesson{{Package: "distro-keyring", Version: "2-1", Vouched: []string{"a"}, Keys: []keyring.KeyChange{
				{Key: k.young.Fingerprint(), User: "Young <Young@example.org>", What: keyring.KeyNew, Trusted: true},
				{Key: k.leaver.Fingerprint(), User: "Leaver <Leaver@example.org>", What: keyring.KeyDisabled},
			}}}
			if want[0].Keys[0].Key > want[0].Keys[1].Key {
				want[0].Keys[0], want[0].Keys[1] = want[0].Keys[1], want[0].Keys[0]
			}
			if diff := cmp.Diff(want, plan.Learned()); diff != "" {
				t.Error(diff)
			}
			learn := k.told(trans.EventLearn)
			if len(learn) != 1 || learn[0].Name != "distro-keyring" || learn[0].Text != "2-1" || len(learn[0].Keys) != 2 || strings.Join(learn[0].Args, " ") != "a" {
				t.Errorf("told: %+v", learn)
			}
			if filled := k.told(trans.EventPopulate); len(filled) != 1 || filled[0].Name != "distro-keyring" || len(filled[0].Args) != 2 {
				t.Errorf("told: %+v", filled)
			}
			if young, leaver := k.trusts(k.young), k.trusts(k.leaver); young != "full" || leaver != "disabled" {
				t.Errorf("the young one's key is %s, the leaver's %s", young, leaver)
			}
		})
	}
}

// TestNewKeyringCountsForWhatWasProven: what the keyring trusts still, and the
// new one does not any more, is refused.
func TestNewKeyringCountsForWhatWasProven(t *testing.T) {
	k := newKeyLab(t)
	k.filling(homeStore{dir: k.home})
	k.offer(map[string]*keyring.Signer{"distro-keyring": k.old, "b": k.leaver}, k.keyringPackage, spec{info: "b 2-1"})
	var sig *keyring.Error
	if err := k.refused(trans.Request{SysUpgrade: true}, 5); !errors.As(err, &sig) || sig.Reason != keyring.Disabled {
		t.Errorf("got %v", err)
	}
	if got := k.trusts(k.leaver); got != "full" {
		t.Errorf("the keyring was changed: the leaver's key is %s", got)
	}
	// Alone, each of them is as good as it was.
	k.run(trans.Request{Targets: []string{"b"}})
	k.run(trans.Request{Targets: []string{"distro-keyring"}})
	if got := k.trusts(k.leaver); got != "disabled" {
		t.Errorf("the leaver's key is %s", got)
	}
}

// TestWhoWasTaughtDoesNotTeach: a keyring package that is trusted by what
// another one brought may not bring keys in turn.
func TestWhoWasTaughtDoesNotTeach(t *testing.T) {
	k := newKeyLab(t)
	other := func(version string, keys ...*keyring.Signer) spec {
		s := spec{info: "other-keyring " + version, files: map[string]string{}}
		for _, key := range keys {
			s.files["usr/share/pacman/keyrings/other.gpg"] += publicKey(t, key)
			s.files["usr/share/pacman/keyrings/other-trusted"] += key.Fingerprint() + ":4:\n"
		}
		return s
	}
	k.offer(map[string]*keyring.Signer{"other-keyring": k.old}, other("1-1", k.old))
	k.run(trans.Request{Targets: []string{"other-keyring"}})
	k.offer(map[string]*keyring.Signer{"distro-keyring": k.old, "other-keyring": k.young, "a": k.stranger},
		k.keyringPackage, other("2-1", k.old, k.stranger), spec{info: "a 2-1"})
	var sig *keyring.Error
	if err := k.refused(trans.Request{SysUpgrade: true}, 5); !errors.As(err, &sig) || sig.Reason != keyring.Unknown {
		t.Errorf("got %v", err)
	}
}

// TestKeyringThatCannotBeFilledStopsNothing: the packages are in, and a person
// is told.
func TestKeyringThatCannotBeFilledStopsNothing(t *testing.T) {
	k := newKeyLab(t)
	k.durable = true
	k.filling(homeStore{err: errors.New("no room")})
	k.offer(map[string]*keyring.Signer{"distro-keyring": k.old, "a": k.young}, k.keyringPackage, spec{info: "a 2-1"})
	k.run(trans.Request{SysUpgrade: true})
	told := k.told(trans.EventWarning)
	if len(told) != 1 || told[0].About != trans.AboutKeys || told[0].Name != "distro-keyring" || !strings.Contains(told[0].Text, "no room") {
		t.Errorf("told: %+v", told)
	}
}

// TestRecoveryFillsTheKeyring cuts a change off at each of its steps: whoever
// finishes it fills the keyring, too.
func TestRecoveryFillsTheKeyring(t *testing.T) {
	k := newKeyLab(t)
	k.durable = true
	k.filling(homeStore{dir: k.home})
	k.offer(map[string]*keyring.Signer{"distro-keyring": k.old, "a": k.young}, k.keyringPackage, spec{info: "a 2-1"})
	images := map[string]string{k.ours: filepath.Join(k.dir, "image"), k.home: filepath.Join(k.dir, "image-home")}
	for from, to := range images {
		must(t, os.CopyFS(to, os.DirFS(from)))
	}
	finished := 0
	for n := 1; ; n++ {
		for to, from := range images {
			must(t, os.RemoveAll(to))
			must(t, os.CopyFS(to, os.DirFS(from)))
		}
		env := k.environment()
		plan, err := trans.Prepare(t.Context(), env, trans.Request{SysUpgrade: true})
		must(t, err)
		steps := 0
		env.SetFault(func(string) error {
			if steps++; steps == n {
				return trans.ErrStopped
			}
			return nil
		})
		if err := trans.Run(t.Context(), env, plan, nil); err == nil {
			break // it has no more steps
		}
		rec, err := trans.Recover(t.Context(), k.environment(), nil)
		must(t, err)
		want := "unknown"
		if rec == nil { // cut off after its end
			want = k.trusts(k.young)
		} else if rec.Finished {
			want = "full"
			finished++
		}
		if got := k.trusts(k.young); got != want {
			t.Errorf("cut off at step %d: the young one's key is %s, not %s", n, got, want)
		}
	}
	if finished == 0 {
		t.Error("no cut came after the point of no return")
	}
}
