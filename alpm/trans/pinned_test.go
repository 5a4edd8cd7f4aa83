// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/alpm/trans"
)

func TestAPinnedPackageOutlivesItsDatabase(t *testing.T) {
	l := newLab(t)
	l.publish(spec{info: "tool 1-1 provides=t=1 groups=g", files: map[string]string{"usr/share/tool": "one"}})
	archive := filepath.Join(l.repoDir, "tool-1-1-any.pkg.tar.zst")
	data, err := os.ReadFile(archive)
	must(t, err)
	sum := sha256.Sum256(data)
	pin := trans.Pin{Repo: "core", Name: "tool", Version: "1-1", Filename: filepath.Base(archive), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data))}

	// The database moves on; the mirror still has the archive.
	l.publish(spec{info: "tool 2-1"})
	must(t, os.WriteFile(archive, data, 0o644))
	ctx, env := context.Background(), l.environment()
	p, err := trans.LoadPin(ctx, env, pin, nil)
	if err != nil || p.Version != "1-1" || p.Provides[0] != "t=1" || p.Groups[0] != "g" {
		t.Fatalf("%+v, %v", p, err)
	}
	// The mirror loses it; the cache has it.
	must(t, os.Remove(archive))
	if p, err = trans.LoadPin(ctx, env, pin, nil); err != nil {
		t.Fatal(err)
	}
	env.Repos[0].DB = syncdb.New("core", []*desc.Package{p})
	plan, err := trans.Prepare(ctx, env, trans.Request{Targets: []string{"core/tool=1-1"}})
	must(t, err)
	must(t, trans.Run(ctx, env, plan, nil))
	if text, err := os.ReadFile(filepath.Join(l.ours, "usr/share/tool")); err != nil || string(text) != "one" {
		t.Errorf("%q, %v", text, err)
	}
	db, err := trans.Installed(env)
	if err != nil || db.Package("tool").Validation[0] != "sha256" {
		t.Errorf("%+v, %v", db.Package("tool"), err)
	}
}

func TestAPinIsToTheByte(t *testing.T) {
	l := newLab(t)
	l.publish(spec{info: "tool 1-1"})
	archive := filepath.Join(l.repoDir, "tool-1-1-any.pkg.tar.zst")
	data, err := os.ReadFile(archive)
	must(t, err)
	sum := sha256.Sum256(data)
	good := trans.Pin{Repo: "core", Name: "tool", Version: "1-1", Filename: filepath.Base(archive), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data))}
	for name, change := range map[string]func(*trans.Pin){
		"another checksum":     func(p *trans.Pin) { p.SHA256 = hex.EncodeToString(make([]byte, 32)) },
		"another size":         func(p *trans.Pin) { p.Size++ },
		"another name inside":  func(p *trans.Pin) { p.Name = "tools" },
		"an archive elsewhere": func(p *trans.Pin) { p.Filename = "../" + p.Filename },
		"an unknown archive":   func(p *trans.Pin) { p.Filename = "absent.pkg.tar.zst" },
		"an unknown repo":      func(p *trans.Pin) { p.Repo = "extra" },
	} {
		pin := good
		change(&pin)
		if p, err := trans.LoadPin(context.Background(), l.environment(), pin, nil); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
		must(t, os.RemoveAll(filepath.Join(l.dir, "cache-ours")))
	}
	var wrong *trans.VerifyError
	pin := good
	pin.Version = "2-1"
	if _, err := trans.LoadPin(context.Background(), l.environment(), pin, nil); !errors.As(err, &wrong) {
		t.Errorf("another version inside: %v", err)
	}
}
