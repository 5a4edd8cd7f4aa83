// SPDX-License-Identifier: GPL-3.0-or-later

package extract_test

import (
	"archive/tar"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/extract"
)

func hashOf(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestPolicy(t *testing.T) {
	root := t.TempDir()
	write(t, "mine", root, "etc/conf")
	policy := func(h *tar.Header) (extract.Decision, error) {
		switch h.Name {
		case "etc/conf":
			return extract.Decision{As: "etc/conf.pacnew", MD5: true}, nil
		case "etc/skipped":
			return extract.Decision{Skip: true}, nil
		}
		return extract.Decision{}, nil
	}
	res, err := unpack(t, openRoot(t, root), policy, file("etc/conf", "theirs"), file("etc/skipped", "x"), file("etc/plain", "y"), hardlink("etc/again", "etc/conf"))
	if err != nil {
		t.Fatal(err)
	}
	if read(t, root, "etc/conf") != "mine" || read(t, root, "etc/conf.pacnew") != "theirs" || read(t, root, "etc/again") != "theirs" || exists(filepath.Join(root, "etc/skipped")) {
		t.Errorf("root has\n%s", listing(t, root))
	}
	if len(res.MD5) != 1 || res.MD5["etc/conf"] != hashOf("theirs") {
		t.Errorf("hashes %v", res.MD5)
	}
	if len(res.Skipped) != 1 || res.Skipped[0] != "etc/skipped" {
		t.Errorf("skipped %v", res.Skipped)
	}
}

func TestPolicyThatKnowsOnlyAfterTheHash(t *testing.T) {
	for name, c := range map[string]struct {
		answer extract.Decision
		want   string
	}{
		"replace": {extract.Decision{}, "conf -rw-r--r-- new\n"},
		"keep":    {extract.Decision{Skip: true}, "conf -rw-r--r-- old\n"},
		"beside":  {extract.Decision{As: "conf.pacnew"}, "conf -rw-r--r-- old\nconf.pacnew -rw-r--r-- new\n"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, "old", root, "conf")
			var asked string
			policy := func(*tar.Header) (extract.Decision, error) {
				return extract.Decision{Settle: func(sum string) (extract.Decision, error) { asked = sum; return c.answer, nil }}, nil
			}
			res, err := unpack(t, openRoot(t, root), policy, file("conf", "new"))
			if err != nil || asked != hashOf("new") || res.MD5["conf"] != asked {
				t.Errorf("%v, asked with %q, told %v", err, asked, res.MD5)
			}
			if _, got, _ := strings.Cut(listing(t, root), "\n"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPolicyErrorsAreReported(t *testing.T) {
	root := t.TempDir()
	r := openRoot(t, root)
	no := errors.New("no")
	if _, err := unpack(t, r, func(*tar.Header) (extract.Decision, error) { return extract.Decision{}, no }, file("f", "x")); !errors.Is(err, no) {
		t.Error(err)
	}
	settle := func(*tar.Header) (extract.Decision, error) {
		return extract.Decision{Settle: func(string) (extract.Decision, error) { return extract.Decision{}, no }}, nil
	}
	if _, err := unpack(t, r, settle, file("f", "x")); !errors.Is(err, no) {
		t.Error(err)
	}
	if _, err := unpack(t, r, func(*tar.Header) (extract.Decision, error) { return extract.Decision{As: "../x"}, nil }, file("f", "x")); err == nil {
		t.Error("a name that goes up was taken")
	}
	if _, got, _ := strings.Cut(listing(t, root), "\n"); got != "" {
		t.Errorf("root has\n%s", got)
	}
}

func TestHardLinkToASkippedFile(t *testing.T) {
	root := t.TempDir()
	r := openRoot(t, root)
	policy := func(h *tar.Header) (extract.Decision, error) { return extract.Decision{Skip: h.Name == "a"}, nil }
	res, err := unpack(t, r, policy, file("a", "x"), hardlink("b", "a"))
	if err != nil || len(res.Unlinked) != 1 || res.Unlinked[0] != (extract.Unlinked{Path: "b", Target: "a"}) {
		t.Errorf("%+v, %v", res.Unlinked, err)
	}
	write(t, "kept", root, "a")
	if _, err := unpack(t, r, policy, file("a", "x"), hardlink("b", "a")); err != nil || read(t, root, "b") != "kept" {
		t.Error(err)
	}
}
