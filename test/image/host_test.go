// SPDX-License-Identifier: GPL-3.0-or-later

package image_test

import (
	"archive/tar"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

// mountAt mounts something for the time of a test.
func (w *world) mountAt(target string, argv ...string) {
	w.t.Helper()
	run := func(argv ...string) {
		w.t.Helper()
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			w.t.Fatalf("%v: %v: %s", argv, err, out)
		}
	}
	run(append(append([]string{"mount"}, argv...), target)...)
	w.mounted = append(w.mounted, target)
	w.t.Cleanup(func() { run("umount", target) })
}

func (w *world) tmpfs(dir, size string) {
	w.mountAt(w.path(dir), "-t", "tmpfs", "-o", "size="+size, "tmpfs")
}

// bulk is a package of so many bytes that do not compress.
func bulk(t testing.TB, mib int64) *smallPackage {
	noise, err := io.ReadAll(io.LimitReader(rand.Reader, mib<<20))
	if err != nil {
		t.Fatal(err)
	}
	p := pack(t, "bulk", entry{name: "usr/", kind: tar.TypeDir}, entry{name: "usr/bulk", text: string(noise)})
	p.info.InstalledSize = mib << 20
	return p
}

func TestFullDisks(t *testing.T) {
	for _, r := range []refusal{
		{"no room for a file system", func(w *world) {
			w.smallRepo(good(w.t))
			w.formats = []string{"qcow2"}
			w.tmpfs("work", "1m")
		}, 7, "too little room in /.*/work: ", "work_dir"},
		{"no room to make one", func(w *world) {
			w.smallRepo(good(w.t))
			w.formats = []string{"qcow2"}
			w.tmpfs("work", "4m")
		}, 7, "too little room in /.*/work: ", "work_dir"},
		{"surely no room for the packages", func(w *world) {
			w.smallRepo(bulk(w.t, 16))
			w.extra = "compress = \"none\"\n"
			w.tmpfs("out", "20m")
		}, 7, "too little room in /.*/out: the image needs 16.0 MiB at least", "--output"},
		{"full in the middle", func(w *world) {
			w.system()
			w.tmpfs("out", "150m")
		}, 7, "too little room in /.*/out: ", "--output"},
		{"no room for downloads", func(w *world) {
			w.smallRepo(bulk(w.t, 8))
			w.tmpfs("cache", "6m")
		}, 7, "not enough space at .*cache", "make room on the file system"},
		{"image too small", func(w *world) {
			w.size = "750M"
			w.smallRepo(pack(w.t, "huge", entry{name: "usr/", kind: tar.TypeDir}, entry{name: "usr/huge", size: 700 << 20}))
		}, 7, "the image is too small: ", "size in .disk. larger"},
	} {
		r.run(t)
	}
}

func TestPackagesThatDoNotExist(t *testing.T) {
	refusal{"unknown", func(w *world) {
		w.smallRepo(good(w.t))
		w.packages = append(w.packages, "godo", "nothing-like-it")
	}, 4, `"godo"`, "^godo: did you mean good.$"}.run(t)
	refusal{"unknown kernel", func(w *world) {
		w.smallRepo(good(w.t))
		w.extra = "[kernel]\npackage = \"linux-zen\"\n"
	}, 4, "linux-zen", ""}.run(t)
	refusal{"unmet dependency", func(w *world) {
		p := good(w.t)
		p.info.Depends = []string{"missing-library>=2"}
		w.smallRepo(p)
	}, 4, "missing-library>=2", ""}.run(t)
}

func TestOutputs(t *testing.T) {
	refusal{"image is there", func(w *world) {
		w.smallRepo(good(w.t))
		w.must(os.WriteFile(w.path("out", "atlas.raw"), []byte("mine"), 0o644))
	}, 1, "out/atlas.raw is already there", "--force"}.run(t)
	refusal{"read-only folder", func(w *world) {
		w.smallRepo(good(w.t))
		w.mountAt(w.path("out"), "-t", "tmpfs", "-o", "ro", "tmpfs")
	}, 1, "out/.*read-only file system", ""}.run(t)
	refusal{"no folder", func(w *world) {
		w.smallRepo(good(w.t))
		w.must(os.Remove(w.path("out")))
		w.must(os.WriteFile(w.path("out"), []byte("mine"), 0o644))
	}, 1, "out.*not a directory", ""}.run(t)
	refusal{"no working folder", func(w *world) {
		w.smallRepo(good(w.t))
		w.must(os.Remove(w.path("work")))
	}, 1, "make a working folder: .*no such file", "work_dir"}.run(t)

	t.Run("no image format", func(t *testing.T) {
		w := newWorld(t)
		w.smallRepo(good(t))
		before := w.snapshot()
		w.refused(before, w.build("--format", "vmdk"), 2, `no image format "vmdk"`, "raw and qcow2")
	})
	t.Run("new folder", func(t *testing.T) {
		w := newWorld(t)
		w.smallRepo(good(t))
		before := w.snapshot()
		w.packages = append(w.packages, "nothing-like-it")
		w.refused(before, w.build("--output", w.path("out", "deep", "down", "atlas")), 4, "nothing-like-it", "")
	})
}

func TestManifestMistakes(t *testing.T) {
	w := newWorld(t)
	w.smallRepo(good(t))
	w.extra = "lable = \"x\"\n[[user]]\nname = \"Anna Nass\"\n[kernel]\npackage = 7\n"
	before := w.snapshot()
	o := w.build()
	for _, want := range []string{`(?m)^.*rastos.toml:\d+:1: error: unknown key "lable"`, `did you mean "label"`, `"Anna Nass"`, `"package" wants a string`, `(?m)^.*: 3 mistakes$`} {
		if !regexp.MustCompile(want).MatchString(o.stderr) {
			t.Errorf("nothing like %q in\n%s", want, o.stderr)
		}
	}
	if o.code != 3 || strings.Join(w.snapshot(), "\n") != strings.Join(before, "\n") {
		t.Errorf("exit code %d, files %v", o.code, w.snapshot())
	}
	w.extra = ""
	cmd, end := w.command("image", "build", w.path("nothing.toml"))
	w.refused(before, end(cmd.Run()), 3, "nothing.toml: no such file", "name the manifest")
}

// TestUnknownGroup: which groups there are is known only when the packages are
// installed; what was built until then goes.
func TestUnknownGroup(t *testing.T) {
	refusal{"user in an unknown group", func(w *world) {
		w.smallRepo(pack(w.t, "accounts",
			entry{name: "etc/", kind: tar.TypeDir},
			entry{name: "etc/passwd", text: "root:x:0:0:root:/root:/bin/sh\n"},
			entry{name: "etc/group", text: "root:x:0:\nwheel:x:10:\n"},
			entry{name: "etc/shadow", text: "root:*:19000::::::\n"},
			entry{name: "bin/", kind: tar.TypeDir},
			entry{name: "bin/bash", text: "#!"}))
		w.extra = "[[user]]\nname = \"anna\"\ngroups = [\"wheeel\"]\n"
	}, 3, "anna.*wheeel", "wheel"}.run(t)
}

func TestHostWithout(t *testing.T) {
	t.Run("root", func(t *testing.T) {
		w := newWorld(t)
		w.smallRepo(good(t))
		w.openToAll()
		before := w.snapshot()
		cmd, end := w.buildCommand()
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		w.refused(before, end(cmd.Run()), 8, "image build needs root", "sudo")
	})
	t.Run("mkfs.btrfs", func(t *testing.T) {
		w := newWorld(t)
		w.smallRepo(good(t))
		before := w.snapshot()
		// A name that is there but no program, in a namespace of its own.
		hide := fmt.Sprintf("mount --bind /dev/null %s && exec \"$@\"", testkit.NeedTool(t, "mkfs.btrfs"))
		cmd, end := w.buildCommand()
		argv := append([]string{"--mount", "/bin/sh", "-c", hide, "sh", cmd.Path}, cmd.Args[1:]...)
		w.refused(before, end(w.instead(cmd, testkit.NeedTool(t, "unshare"), argv...)), 9, "mkfs.btrfs", "apt-get install btrfs-progs; Arch: pacman -S btrfs-progs")
	})
	t.Run("the right to mount", func(t *testing.T) {
		w := newWorld(t)
		w.smallRepo(good(t))
		before := w.snapshot()
		cmd, end := w.buildCommand()
		argv := append([]string{"--bounding-set=-sys_admin", "--inh-caps=-sys_admin", cmd.Path}, cmd.Args[1:]...)
		w.refused(before, end(w.instead(cmd, testkit.NeedTool(t, "setpriv"), argv...)), 8, "mount namespace.*not permitted", "CAP_SYS_ADMIN")
	})
	t.Run("network", func(t *testing.T) {
		w := newWorld(t)
		repo := w.smallRepo(good(t))
		w.repos[0].servers = []string{serve(t, repo.dir, nil)}
		before := w.snapshot()
		cmd, end := w.buildCommand()
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		w.refused(before, end(cmd.Run()), 6, "small.db.*unreachable", "tried")
	})
}

// instead runs another program in a command's place.
func (w *world) instead(cmd *exec.Cmd, program string, args ...string) error {
	other := exec.Command(program, args...)
	other.Env, other.Dir, other.Stdout, other.Stderr = cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr
	err := other.Run()
	cmd.ProcessState = other.ProcessState
	return err
}

// TestErrorsForPrograms: with --json the last line is the error, with all that
// a person would be told.
func TestErrorsForPrograms(t *testing.T) {
	w := newWorld(t)
	p := good(t)
	w.must(os.Remove(w.smallRepo(p).file(p.info.Filename + ".sig")))
	o := w.build("--json")
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	var last struct {
		Kind, Message, Hint string
		ExitCode            int `json:"exit_code"`
	}
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %q", line)
		}
	}
	w.must(json.Unmarshal([]byte(lines[len(lines)-1]), &last))
	if o.code != 5 || last.Kind != "error" || last.ExitCode != 5 || !strings.Contains(last.Message, "the signature is missing") || last.Hint == "" {
		t.Errorf("exit code %d, %+v", o.code, last)
	}
	if o.stderr != "" {
		t.Errorf("standard error: %q", o.stderr)
	}
}

// openToAll lets any user get at this world, and at a copy of the binary.
func (w *world) openToAll() {
	w.t.Helper()
	for d := w.dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		w.must(os.Chmod(d, 0o755))
	}
	data, err := os.ReadFile(w.binary)
	w.must(err)
	w.binary = w.path("rastos")
	w.must(os.WriteFile(w.binary, data, 0o755))
}
