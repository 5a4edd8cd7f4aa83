// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rastos/rastos/alpm/keyring/agentkey"
)

// Files is a folder: a GnuPG home, or one with keyrings to import. WriteFile
// replaces a file at once and durably, with exactly that mode.
type Files interface {
	ReadFile(name string) ([]byte, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	Chmod(name string, mode fs.FileMode) error
}

// Names in a GnuPG home.
const (
	publicFile  = "pubring.gpg"
	keyboxFile  = "pubring.kbx"
	secretFile  = "secring.gpg"
	trustFile   = "trustdb.gpg"
	privateDir  = "private-keys-v1.d"
	revocations = "openpgp-revocs.d"
	// migratedFile tells gpg that it need not look for old private keys.
	migratedFile = ".gpg-v21-migrated"
)

// A Home is a GnuPG home directory, read and changed without gpg. One change
// at a time: who calls sees to it that nobody else changes it meanwhile.
type Home struct {
	files  Files
	ring   *Ring
	now    func() time.Time
	master *master // nil: not looked for yet
}

// ErrNoMaster is a keyring without a private key of its own.
var ErrNoMaster = errors.New("the keyring has no private key of its own to vouch with")

// keyboxError is a home whose keys are in a keybox.
type keyboxError struct{}

func (keyboxError) Error() string {
	return "the keyring keeps its keys in " + keyboxFile + ", which is only read here"
}
func (keyboxError) Hint() string {
	return "move the folder away and make a new one with rastos pkg keyring init and populate"
}

// OpenHome reads a home. Its keys must be in pubring.gpg, as pacman-key and
// Init keep them.
func OpenHome(files Files, now func() time.Time) (*Home, error) {
	h := &Home{files: files, now: now, ring: newRing()}
	h.ring.Now = now
	box, err := files.ReadFile(keyboxFile)
	if err == nil && len(box) > 0 {
		if _, used, err := decodeKeybox(box); err != nil || used {
			return nil, keyboxError{}
		}
	}
	public, err := files.ReadFile(publicFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Reason: NoKeyring, Err: fmt.Errorf("there is no %s", publicFile)}
	}
	if err != nil {
		return nil, fmt.Errorf("read keyring: %w", err)
	}
	if err := h.ring.add(public); err != nil {
		return nil, fmt.Errorf("read %s: %w", publicFile, err)
	}
	trust, err := files.ReadFile(trustFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read trust database: %w", err)
	}
	if h.ring.trust, err = decodeTrustDB(trust); err != nil {
		return nil, fmt.Errorf("read %s: %w", trustFile, err)
	}
	return h, nil
}

// save writes what was changed. The trust database comes last: it may name
// keys, and a key that it does not name yet is trusted by nobody.
func (h *Home) save() error {
	if err := h.files.WriteFile(publicFile, h.ring.encode(), 0o644); err != nil {
		return fmt.Errorf("write keyring: %w", err)
	}
	if err := h.files.WriteFile(trustFile, h.ring.trust.encode(h.now()), 0o644); err != nil {
		return fmt.Errorf("write trust database: %w", err)
	}
	return h.reload()
}

// reload forgets what was worked out from the state before.
func (h *Home) reload() error {
	again, err := OpenHome(h.files, h.now)
	if err == nil {
		h.ring = again.ring
	}
	return err
}

// masterKey is the first key of the ring whose secret half is in the home, as
// gpg takes it.
func (h *Home) masterKey() (*master, error) {
	if h.master != nil {
		return h.master, nil
	}
	entries, err := h.files.ReadDir(privateDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for private keys: %w", err)
	}
	found := map[*key]*master{}
	var unreadable error
	for _, e := range entries {
		if path.Ext(e.Name()) != ".key" {
			continue
		}
		data, err := h.files.ReadFile(path.Join(privateDir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read private key: %w", err)
		}
		private, err := agentkey.Decode(data)
		if err != nil {
			unreadable = fmt.Errorf("private key %s: %w", e.Name(), err)
			continue
		}
		for _, k := range h.ring.keys {
			if belongs(private, k) {
				found[k] = &master{k, private}
			}
		}
	}
	for _, k := range h.ring.keys {
		if m := found[k]; m != nil && !k.info.revoked && !over(k.info.expires, h.now()) {
			h.master = m
			return m, nil
		}
	}
	return nil, errors.Join(ErrNoMaster, unreadable)
}

// InitOptions are what a new home needs.
type InitOptions struct {
	Now    func() time.Time
	Random io.Reader
	Bits   int // of the master key; 0: 4096, as pacman-key's
}

// Init makes a home that gpg, pacman-key and pacman accept, or completes one:
// the files, gpg's settings, and a private key that is trusted of itself. What
// is there is kept. It returns the master key's fingerprint, and whether it is new.
func Init(files Files, o InitOptions) (fingerprint string, made bool, err error) {
	h, err := makeHome(files, o)
	if err != nil {
		return "", false, err
	}
	m, err := h.masterKey()
	switch {
	case errors.Is(err, ErrNoMaster) && errors.Is(err, agentkey.ErrLocked), err != nil && !errors.Is(err, ErrNoMaster):
		return "", false, err
	case err == nil:
		fingerprint = m.key.fingerprint()
	default:
		made = true
		if fingerprint, err = h.makeMaster(o); err != nil {
			return "", false, fmt.Errorf("make the keyring's own key: %w", err)
		}
	}
	return fingerprint, made, nil
}

// makeHome makes what is missing of a home, but for its keys.
func makeHome(files Files, o InitOptions) (*Home, error) {
	for _, dir := range []struct {
		name string
		perm fs.FileMode
	}{{".", 0o755}, {privateDir, 0o700}, {revocations, 0o700}} {
		if err := files.MkdirAll(dir.name, dir.perm); err != nil {
			return nil, fmt.Errorf("make a keyring: %w", err)
		}
	}
	if err := initFiles(files); err != nil {
		return nil, fmt.Errorf("make a keyring: %w", err)
	}
	return OpenHome(files, o.Now)
}

// initFiles makes those that are missing and sets the modes right.
func initFiles(files Files) error {
	for _, f := range []struct {
		name  string
		perm  fs.FileMode
		lines []string
	}{
		{publicFile, 0o644, nil},
		{secretFile, 0o600, nil},
		{trustFile, 0o644, nil},
		{migratedFile, 0o644, nil},
		{"gpg.conf", 0o644, []string{
			"no-greeting", "no-permission-warning", "lock-never",
			"keyserver-options timeout=10", "keyserver-options import-clean", "keyserver-options no-self-sigs-only",
		}},
		{"gpg-agent.conf", 0o644, []string{"disable-scdaemon"}},
	} {
		have, err := files.ReadFile(f.name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		want := withOptions(have, f.lines)
		if err == nil && bytes.Equal(have, want) {
			if err := files.Chmod(f.name, f.perm); err != nil {
				return err
			}
			continue
		}
		if err := files.WriteFile(f.name, want, f.perm); err != nil {
			return err
		}
	}
	return nil
}

// withOptions adds the lines whose option is not set in a configuration, nor
// commented out by somebody who does not want it.
func withOptions(have []byte, lines []string) []byte {
	out := bytes.Clone(have)
	for _, line := range lines {
		words := regexp.MustCompile(`(?m)^[\s#]*` + strings.ReplaceAll(regexp.QuoteMeta(line), " ", `\s+`) + `(\s.*)?$`)
		if words.Match(have) {
			continue
		}
		if len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, '\n')
		}
		out = append(append(out, line...), '\n')
	}
	return out
}

// makeMaster makes the key that the keyring trusts of itself: RSA, as pacman-key's.
// The secret half is written first: without it the public one would be of no use.
func (h *Home) makeMaster(o InitOptions) (string, error) {
	m, err := h.generateMaster(o)
	if err != nil {
		return "", err
	}
	private := m.private.(*rsa.PrivateKey)
	secret, err := agentkey.EncodeRSA(private)
	if err != nil {
		return "", err
	}
	name := path.Join(privateDir, agentkey.KeygripRSA(&private.PublicKey)+".key")
	if err := h.files.WriteFile(name, secret, 0o600); err != nil {
		return "", err
	}
	return m.key.fingerprint(), h.save()
}

// generateMaster makes it and takes its public half into the ring. Nothing is
// written.
func (h *Home) generateMaster(o InitOptions) (*master, error) {
	bits := o.Bits
	if bits == 0 {
		bits = 4096
	}
	s, err := generate("Pacman Keyring Master Key", "pacman@localhost", o.Now(), o.Random, func(c *packet.Config) {
		c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, bits
	})
	if err != nil {
		return nil, err
	}
	private, ok := s.key.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is of type %T", s.key.PrivateKey)
	}
	var public bytes.Buffer
	if err := s.entity.Serialize(&public); err != nil {
		return nil, err
	}
	if err := h.ring.add(public.Bytes()); err != nil {
		return nil, err
	}
	name := string(s.entity.PrimaryKey.Fingerprint)
	h.ring.trust.set(name, ownerUltimate)
	return &master{h.ring.byName[name], private}, h.ring.byName[name].load()
}
