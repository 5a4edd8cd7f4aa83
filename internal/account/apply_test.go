// SPDX-License-Identifier: GPL-3.0-or-later

package account

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/testkit"
)

const (
	testHash = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
	testKey  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEuFAfpjAkJxMbAvAwZbJnJkMFsG4NEjt8kYFYPhFTkL anna@example.org"
	otherKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK3kFAfpjAkJxMbAvAwZbJnJkMFsG4NEjt8kYFYPhFTk bert@example.org"
)

var today = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)

// newRoot makes a system root with the files given.
func newRoot(t *testing.T, files map[string]string) (*fsroot.FS, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.WithoutSync(), dir
}

func system() map[string]string {
	return map[string]string{
		"etc/passwd":  "root:x:0:0:root:/root:/bin/bash\nhttp:x:33:33::/srv/http:/usr/bin/nologin\n",
		"etc/group":   "root:x:0:\nwheel:x:998:\nusers:x:100:\nvideo:x:985:\nhttp:x:33:\n",
		"etc/shadow":  "root:!:19000::::::\nhttp:!*:19000::::::\n",
		"etc/gshadow": "root:::\nwheel:!::\nusers:!::\nvideo:!::\nhttp:!::\n",
		"etc/subuid":  "", "etc/subgid": "",
		"usr/bin/bash": "", "usr/bin/zsh": "", "usr/bin/nologin": "", "bin/bash": "",
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestApply(t *testing.T) {
	root, dir := newRoot(t, system())
	os.Chmod(filepath.Join(dir, "etc/shadow"), 0o600)
	uid := 1500
	users := []User{
		{Name: "anna", Comment: "Anna Ä.", Shell: "/usr/bin/zsh", PasswordHash: testHash, Groups: []string{"wheel", "video"}, SSHKeys: []string{testKey}},
		{Name: "bert", Groups: []string{"wheel"}},
		{Name: "carl", UID: &uid},
		{Name: "root", SSHKeys: []string{testKey}},
	}
	homes, err := Apply(root, users, today)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"etc/passwd":  system()["etc/passwd"] + "anna:x:1000:1000:Anna Ä.:/home/anna:/usr/bin/zsh\nbert:x:1001:1001::/home/bert:/bin/bash\ncarl:x:1500:1500::/home/carl:/bin/bash\n",
		"etc/group":   "root:x:0:\nwheel:x:998:anna,bert\nusers:x:100:\nvideo:x:985:anna\nhttp:x:33:\nanna:x:1000:\nbert:x:1001:\ncarl:x:1500:\n",
		"etc/shadow":  system()["etc/shadow"] + "anna:" + testHash + ":20090:0:99999:7:::\nbert:!:20090:0:99999:7:::\ncarl:!:20090:0:99999:7:::\n",
		"etc/gshadow": "root:::\nwheel:!::anna,bert\nusers:!::\nvideo:!::anna\nhttp:!::\nanna:!::\nbert:!::\ncarl:!::\n",
		"etc/subuid":  "anna:100000:65536\nbert:165536:65536\ncarl:231072:65536\n",
	}
	for name, content := range want {
		if diff := cmp.Diff(content, read(t, dir, name)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if info, _ := os.Stat(filepath.Join(dir, "etc/shadow")); info.Mode().Perm() != 0o600 {
		t.Errorf("shadow has mode %v", info.Mode())
	}
	wantHomes := []Home{
		{User: "anna", Path: "/home/anna", UID: 1000, GID: 1000, SSHKeys: []string{testKey}}, {User: "bert", Path: "/home/bert", UID: 1001, GID: 1001},
		{User: "carl", Path: "/home/carl", UID: 1500, GID: 1500}, {User: "root", Path: "/root", SSHKeys: []string{testKey}},
	}
	if diff := cmp.Diff(wantHomes, homes); diff != "" {
		t.Error(diff)
	}

	// A second time nothing changes, not even a password's date.
	again, err := Apply(root, users, today.AddDate(1, 0, 0))
	if err != nil || cmp.Diff(homes, again) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(homes, again))
	}
	for name, content := range want {
		if diff := cmp.Diff(content, read(t, dir, name)); diff != "" {
			t.Errorf("%s, second time:\n%s", name, diff)
		}
	}
}

// TestShadowSuiteTakesOurFiles lets pwck and grpck judge.
func TestShadowSuiteTakesOurFiles(t *testing.T) {
	testkit.NeedRoot(t) // they refuse to read another's shadow
	pwck, grpck := testkit.NeedTool(t, "pwck"), testkit.NeedTool(t, "grpck")
	files := system()
	for _, name := range []string{"home/anna/x", "home/bert/x", "root/x", "srv/http/x"} {
		files[name] = "" // pwck wants the homes too
	}
	root, dir := newRoot(t, files)
	if _, err := Apply(root, []User{{Name: "anna", PasswordHash: testHash, Groups: []string{"wheel"}}, {Name: "bert"}}, today); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{pwck, "-r", "-R", dir}, {grpck, "-r", "-R", dir}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", argv, err, out)
		}
	}
}

func TestApplyWithoutShadowFilesOfGroups(t *testing.T) {
	root, dir := newRoot(t, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n"})
	if _, err := Apply(root, []User{{Name: "anna"}}, today); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etc/gshadow", "etc/subuid"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "etc/shadow")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("shadow: %v, %v", info, err)
	}
}

func TestMistakesAreAllReportedAndNothingIsWritten(t *testing.T) {
	root, dir := newRoot(t, system())
	taken, moved := 33, 7
	_, err := Apply(root, []User{
		{Name: "fine"}, {Name: "Anna"}, {Name: "a", PasswordHash: "geheim"}, {Name: "b", PasswordHash: "$1$salt$qJH7.N4xYta3aEG/dfqo/0"},
		{Name: "c", SSHKeys: []string{testKey, "ssh-rsa AAAA"}}, {Name: "d", Groups: []string{"sudo"}}, {Name: "e", Groups: []string{"vidio"}},
		{Name: "f", Shell: "/bin/fish"}, {Name: "g", Shell: "bash"}, {Name: "h", Comment: "x:0:0"}, {Name: "i", UID: &taken}, {Name: "http", UID: &moved},
		{Name: "j", Comment: "x\nroot2:x:0:0:::"}, {Name: "k", PasswordHash: testHash + ":0"},
	}, today)
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 13 {
		t.Errorf("%d mistakes:\n%v", len(lines), err)
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Error("a password is repeated")
	}
	var first *UserError
	if !errors.As(err, &first) || first.ExitCode() != 3 || first.User != "Anna" {
		t.Errorf("%+v", first)
	}
	for name, content := range system() {
		if read(t, dir, name) != content {
			t.Errorf("%s was changed", name)
		}
	}
	for user, hint := range map[string]string{"d": "did you mean wheel?", "e": "did you mean video?"} {
		group := map[string]string{"d": "sudo", "e": "vidio"}[user]
		_, err := Apply(root, []User{{Name: user, Groups: []string{group}}}, today)
		var e *UserError
		if !errors.As(err, &e) || e.Hint() != hint {
			t.Errorf("%s: hint %q", user, e.Hint())
		}
	}
}

func TestCheckKey(t *testing.T) {
	for _, good := range []string{testKey, otherKey, strings.TrimSuffix(testKey, " anna@example.org")} {
		if err := CheckKey(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "ssh-ed25519", "ssh-dss AAAA", testKey[:50], testKey + "\nssh-rsa x", "-----BEGIN OPENSSH PRIVATE KEY-----",
		strings.Replace(testKey, "ssh-ed25519", "ssh-rsa", 1), `command="x" ` + testKey, strings.Replace(testKey, "AAAAC3", "AAAAD3", 1)} {
		if err := CheckKey(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestCheckHash(t *testing.T) {
	for _, good := range []string{testHash, "!", "*", "!" + testHash, "$6$rounds=5000$saltsalt$abcdefgh", "$2b$10$abcdefghijklmnopqrstuv"} {
		if err := CheckHash(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "x", "password", "$1$a$b", "$6$", testHash + "\n", testHash + ":", "ab01FAX.bQRSU"} {
		if err := CheckHash(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestMakeHome(t *testing.T) {
	testkit.NeedRoot(t)
	skel, skelDir := newRoot(t, map[string]string{"etc/skel/.bashrc": "PS1=x\n", "etc/skel/.config/a": "b"})
	os.Symlink(".bashrc", filepath.Join(skelDir, "etc/skel/.profile"))
	homes, dir := newRoot(t, nil)
	anna := Home{User: "anna", Path: "/home/anna", UID: 1000, GID: 1001, SSHKeys: []string{testKey}}
	for range 2 {
		if err := MakeHome(homes, "anna", anna, skel); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]fs.FileMode{
		"anna": 0o700 | fs.ModeDir, "anna/.ssh": 0o700 | fs.ModeDir, "anna/.ssh/authorized_keys": 0o600,
		"anna/.bashrc": 0o644, "anna/.config": 0o755 | fs.ModeDir, "anna/.config/a": 0o644, "anna/.profile": 0o777 | fs.ModeSymlink,
	} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		owner := info.Sys().(*syscall.Stat_t)
		if info.Mode() != want || owner.Uid != 1000 || owner.Gid != 1001 {
			t.Errorf("%s: %v, %d:%d", name, info.Mode(), owner.Uid, owner.Gid)
		}
	}
	if got := read(t, dir, "anna/.ssh/authorized_keys"); got != testKey+"\n" {
		t.Errorf("keys:\n%s", got)
	}

	// What a person added stays; what the manifest dropped goes.
	own := "# mine\nfrom=\"10.0.0.1\" " + otherKey + "\n"
	os.WriteFile(filepath.Join(dir, "anna/.ssh/authorized_keys"), []byte(own+testKey), 0o600)
	os.WriteFile(filepath.Join(dir, "anna/.bashrc"), []byte("PS1=y\n"), 0o600)
	anna.DropKeys, anna.SSHKeys = []string{testKey}, []string{otherKey}
	if err := MakeHome(homes, "anna", anna, skel); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(own+otherKey+"\n", read(t, dir, "anna/.ssh/authorized_keys")); diff != "" {
		t.Error(diff)
	}
	if read(t, dir, "anna/.bashrc") != "PS1=y\n" {
		t.Error("an existing home got the skeleton again")
	}
}

func TestMakeHomeRefusesLinks(t *testing.T) {
	homes, dir := newRoot(t, map[string]string{"bert/.ssh/x": "", "carl/.ssh/y": ""})
	os.Symlink("bert", filepath.Join(dir, "anna"))
	os.Mkdir(filepath.Join(dir, "dora"), 0o755)
	os.Symlink("../bert/.ssh", filepath.Join(dir, "dora/.ssh"))
	os.Symlink("../../bert/.ssh/x", filepath.Join(dir, "carl/.ssh/authorized_keys"))
	for _, name := range []string{"anna", "dora", "carl"} {
		h := Home{User: name, Path: "/home/" + name, UID: os.Getuid(), GID: os.Getgid(), SSHKeys: []string{testKey}}
		if err := MakeHome(homes, name, h, nil); err == nil {
			t.Errorf("%s: a link was followed", name)
		}
	}
	if read(t, dir, "bert/.ssh/x") != "" {
		t.Error("bert's file was written")
	}
}
