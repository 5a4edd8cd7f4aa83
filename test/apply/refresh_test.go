// SPDX-License-Identifier: GPL-3.0-or-later

package apply_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

// keyServer answers as a key server does with what gpg exports from a home.
type keyServer struct {
	*httptest.Server
	home string

	mu    sync.Mutex
	asked []string
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	gpg := testkit.NeedTool(t, "gpg")
	home, err := os.MkdirTemp("", "gpg") // short, for the agent's socket
	if err != nil {
		t.Fatal(err)
	}
	k := &keyServer{home: home}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		_ = os.RemoveAll(home)
	})
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wanted := r.URL.Query().Get("search")
		k.mu.Lock()
		k.asked = append(k.asked, r.URL.Path+" "+r.URL.Query().Get("op")+" "+wanted)
		k.mu.Unlock()
		out, err := exec.Command(gpg, "--homedir", home, "--batch", "--armor", "--export", wanted).Output()
		if r.URL.Path != "/pks/lookup" || r.URL.Query().Get("op") != "get" || err != nil || len(out) == 0 {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/pgp-keys")
		_, _ = w.Write(out)
	}))
	t.Cleanup(k.Close)
	return k
}

// gpg runs it on a home.
func gpg(t *testing.T, home, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gpg %q: %v", args, err)
	}
	return string(out)
}

// field is what a record of gpg's list says of the first key.
func field(list, record string, at int) string {
	for line := range strings.Lines(list) {
		if f := strings.Split(line, ":"); f[0] == record && len(f) > at {
			return f[at]
		}
	}
	return ""
}

// TestRefreshTakesWhatGPGMadeFromAKeyServer: a key that gpg has given a longer
// life comes over HTTP, and the real pacman goes by it; then it is revoked.
func TestRefreshTakesWhatGPGMadeFromAKeyServer(t *testing.T) {
	w := &signedWorld{world: newPkgWorld(t)}
	k := newKeyServer(t)
	gpg(t, k.home, "", "--quick-generate-key", "Anna <anna@example.org>", "ed25519", "sign", "10y")
	key := field(gpg(t, k.home, "", "--with-colons", "-k"), "fpr", 9)
	from := t.TempDir()
	w.must(os.WriteFile(filepath.Join(from, "anna.gpg"), []byte(gpg(t, k.home, "", "--export", key)), 0o644))
	w.must(os.WriteFile(filepath.Join(from, "anna-trusted"), []byte(key+":4:\n"), 0o644))
	w.conf(signedConf + w.srv + "\n")
	w.pkgOK("keyring", "init")
	w.pkgOK("keyring", "populate", "--from", from)
	refresh := func(news string) {
		t.Helper()
		out := w.pkgOK("keyring", "refresh", "anna@", "--server", k.URL, "--directory", k.URL)
		if !strings.Contains(out, ": 1 keys asked for, "+news+" with news, 0 without an answer") {
			t.Errorf("%s", out)
		}
	}
	home := w.at("etc/pacman.d/gnupg")
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	expires := func() string { return field(gpg(t, home, "", "--with-colons", "-k", key), "pub", 6) }

	refresh("0")
	before := expires()
	gpg(t, k.home, "", "--quick-set-expire", key, "20y")
	refresh("1")
	if after := expires(); after == before || after != field(gpg(t, k.home, "", "--with-colons", "-k", key), "pub", 6) {
		t.Errorf("gpg reads the expiry %s after %s", after, before)
	}
	refresh("0")

	// A signing subkey that came with the refresh is one for pacman, too.
	gpg(t, k.home, "", "--quick-add-key", key, "ed25519", "sign", "never")
	w.publish(pkg("a", "1-1"))
	w.pkgOK("sync")
	archive := filepath.Join(w.srv, "a-1-1-any.pkg.tar.zst")
	gpg(t, k.home, "", "-u", key, "--output", archive+".sig", "--detach-sign", archive)
	if out, err := w.pacman("-U", archive); err == nil || !strings.Contains(out, "required key missing") {
		t.Errorf("pacman knows a subkey that it never saw:\n%s", out)
	}
	refresh("1")
	w.mustPacman("-U", archive)

	revocation := gpg(t, k.home, "y\n0\n\ny\n", "--command-fd", "0", "--no-batch", "--gen-revoke", key)
	gpg(t, k.home, revocation, "--import")
	refresh("1")
	if out, err := w.pacman("-U", archive); err == nil || !strings.Contains(out, "invalid or corrupted package (PGP signature)") {
		t.Errorf("pacman takes what a revoked key signed:\n%s", out)
	}
	if out, code := w.pkg("install", archive, "--yes", "--reinstall"); code != 5 || !strings.Contains(out, "revoked") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	for _, line := range k.asked {
		if strings.HasPrefix(line, "/pks/lookup") && line != "/pks/lookup get 0x"+key {
			t.Errorf("asked for %s", line)
		}
	}
}
