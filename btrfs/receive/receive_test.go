// SPDX-License-Identifier: GPL-3.0-or-later

package receive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/btrfs/receive"
	"github.com/rastos/rastos/btrfs/stream"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/testkit/grove"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// generations are snapshots of one tree that grows, s0 the first.
func generations(t *testing.T, top string, seed uint64, compression string, n int) []string {
	t.Helper()
	work := filepath.Join(top, "work")
	must(t, btrfs.Create(work))
	if compression != "" {
		progs(t, nil, "property", "set", work, "compression", compression)
	}
	g := grove.New(t, work, seed)
	g.Plant(60)
	var out []string
	for i := range n {
		g.Change(80)
		s := filepath.Join(top, fmt.Sprintf("s%d", i))
		must(t, btrfs.Snapshot(work, s, true))
		out = append(out, s)
	}
	return out
}

func progs(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(testkit.NeedTool(t, "btrfs"), args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("btrfs %v: %v: %s", args, err, errs.String())
	}
	return out
}

func send(t *testing.T, path string, o btrfs.SendOptions) []byte {
	t.Helper()
	var buf bytes.Buffer
	must(t, btrfs.Send(context.Background(), &buf, path, o))
	return buf.Bytes()
}

func receiveTo(t *testing.T, data []byte, dst string, o receive.Options) receive.Origin {
	t.Helper()
	r, err := stream.NewReader(bytes.NewReader(data))
	must(t, err)
	origin, err := receive.Receive(context.Background(), r, dst, o)
	must(t, err)
	return origin
}

// again reads a stream and writes it.
func again(t *testing.T, data []byte) []byte {
	t.Helper()
	r, err := stream.NewReader(bytes.NewReader(data))
	must(t, err)
	var buf bytes.Buffer
	w, err := stream.NewWriter(&buf, r.Version())
	must(t, err)
	for {
		c, err := r.Next()
		must(t, err)
		must(t, w.Write(c))
		if c.Kind == stream.End {
			return buf.Bytes()
		}
	}
}

func sameTree(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(grove.Walk(t, want), grove.Walk(t, got)); diff != "" {
		t.Errorf("%s: -sent +received:\n%s", what, diff)
	}
}

// TestTreesArriveAsTheyWere sends trees grown by chance whole and step by step,
// in both versions of the protocol and with each kind of compression, and holds
// our bytes, reading and writing against btrfs-progs.
func TestTreesArriveAsTheyWere(t *testing.T) {
	testkit.Integration(t)
	for i, compression := range []string{"", "zstd", "zlib", "lzo"} {
		for round := range testkit.Rounds(2, 40) {
			seed := uint64(i + 4*round + 1)
			t.Run(fmt.Sprintf("%s/%d", compression, seed), func(t *testing.T) { arrive(t, seed, compression) })
		}
	}
}

func arrive(t *testing.T, seed uint64, compression string) {
	from, to := testkit.BtrfsDisk(t, 384), testkit.BtrfsDisk(t, 512)
	sent := generations(t, from, seed, compression, 3)
	ways := map[string]btrfs.SendOptions{
		"v1": {}, "v2": {Version: 2}, "v2 compressed": {Version: 2, Compressed: true},
	}
	for way, o := range ways {
		ours, theirs := filepath.Join(to, "ours "+way), filepath.Join(to, "theirs "+way)
		decoded := filepath.Join(to, "decoded "+way)
		for _, dir := range []string{ours, theirs, decoded} {
			must(t, os.Mkdir(dir, 0o755))
		}
		var parent, decodedParent string
		for n, s := range sent {
			what := fmt.Sprintf("%s, s%d", way, n)
			o.Parent = ""
			if n > 0 {
				o.Parent = sent[n-1]
			}
			data := send(t, s, o)
			compareWithProgs(t, what, data, s, o)
			dst := filepath.Join(ours, filepath.Base(s))
			origin := receiveTo(t, data, dst, receive.Options{Parent: parent})
			sameTree(t, what, s, dst)
			checkOrigin(t, what, s, dst, origin)
			parent = dst
			if o.Compressed {
				dst := filepath.Join(decoded, filepath.Base(s))
				receiveTo(t, data, dst, receive.Options{Parent: decodedParent, Decode: true})
				sameTree(t, what+", decoded", s, dst)
				decodedParent = dst
			}
			progs(t, again(t, data), "receive", "-q", theirs)
			sameTree(t, what+", written by us, received by btrfs-progs", s, filepath.Join(theirs, filepath.Base(s)))
		}
		// One read-only subvolume with an origin is all that theirs can be told by:
		// the next way must not find this one's.
		for _, dir := range []string{theirs, ours, decoded} {
			for n := len(sent) - 1; n >= 0; n-- {
				p := filepath.Join(dir, filepath.Base(sent[n]))
				if _, err := os.Lstat(p); err == nil {
					must(t, btrfs.Delete(p))
				}
			}
		}
	}
}

// compareWithProgs holds our stream against theirs, byte by byte, and our
// reading against what they say of it.
func compareWithProgs(t *testing.T, what string, data []byte, path string, o btrfs.SendOptions) {
	t.Helper()
	args := []string{"send", "-q"}
	if o.Version > 1 {
		args = append(args, "--proto", "2")
	}
	if o.Compressed {
		args = append(args, "--compressed-data")
	}
	if o.Parent != "" {
		args = append(args, "-p", o.Parent)
	}
	if theirs := progs(t, nil, append(args, path)...); !bytes.Equal(theirs, data) {
		t.Errorf("%s: our stream has %d bytes, that of btrfs send %d, and they differ", what, len(data), len(theirs))
	}
	if written := again(t, data); !bytes.Equal(written, data) {
		t.Errorf("%s: read and written again, the stream differs", what)
	}
	said := string(progs(t, data, "receive", "--dump"))
	ours := dump(t, data)
	if said != ours {
		t.Errorf("%s: -btrfs receive --dump +ours:\n%s", what, cmp.Diff(strings.Split(said, "\n"), strings.Split(ours, "\n")))
	}
}

func checkOrigin(t *testing.T, what, src, dst string, origin receive.Origin) {
	t.Helper()
	a, err := btrfs.Info(src)
	must(t, err)
	b, err := btrfs.Info(dst)
	must(t, err)
	if !b.ReadOnly || b.ReceivedUUID != a.UUID || origin.UUID != a.UUID || origin.Generation == 0 {
		t.Errorf("%s: received %+v of %+v; %+v", what, b, a, origin)
	}
	// A node is sealed by a snapshot: it must be known still as what it came from.
	snap := dst + ".sealed"
	must(t, btrfs.Snapshot(dst, snap, true))
	c, err := btrfs.Info(snap)
	must(t, err)
	if c.ReceivedUUID != a.UUID {
		t.Errorf("%s: a read-only snapshot of what was received has the origin %s", what, c.ReceivedUUID)
	}
	must(t, btrfs.Delete(snap))
}

func TestAStreamThatDoesNotFitIsRefused(t *testing.T) {
	testkit.Integration(t)
	from, to := testkit.BtrfsDisk(t, 256), testkit.BtrfsDisk(t, 256)
	sent := generations(t, from, 3, "", 3)
	whole, step := send(t, sent[0], btrfs.SendOptions{}), send(t, sent[2], btrfs.SendOptions{Parent: sent[1]})
	base := filepath.Join(to, "base")
	receiveTo(t, whole, base, receive.Options{})

	for name, c := range map[string]struct {
		data   []byte
		parent string
	}{
		"a step without its parent": {step, ""},
		"a step on another parent":  {step, base},
		"a whole one on a parent":   {whole, base},
	} {
		r, err := stream.NewReader(bytes.NewReader(c.data))
		must(t, err)
		_, err = receive.Receive(context.Background(), r, filepath.Join(to, name), receive.Options{Parent: c.parent})
		var p *receive.ParentError
		if !errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
	noData := send(t, sent[1], btrfs.SendOptions{Parent: sent[0], NoData: true})
	r, err := stream.NewReader(bytes.NewReader(noData))
	must(t, err)
	if _, err := receive.Receive(context.Background(), r, filepath.Join(to, "nodata"), receive.Options{Parent: base}); err == nil {
		t.Error("a stream without data was received")
	}
}

// TestNoNameLeadsOutOfTheSubvolume: what a stranger may try.
func TestNoNameLeadsOutOfTheSubvolume(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 256)
	outside := filepath.Join(top, "outside")
	must(t, os.MkdirAll(filepath.Join(outside, "d"), 0o755))
	must(t, os.WriteFile(filepath.Join(outside, "f"), []byte("kept"), 0o644))
	before := grove.Walk(t, outside)

	link := stream.Command{Kind: stream.Symlink, Path: "l", PathLink: outside}
	file := stream.Command{Kind: stream.Symlink, Path: "l", PathLink: filepath.Join(outside, "f")}
	up := stream.Command{Kind: stream.Symlink, Path: "l", PathLink: ".."}
	mk := stream.Command{Kind: stream.Mkfile, Path: "x"}
	at := time.Unix(1, 0)
	for name, cmds := range map[string][]stream.Command{
		"dots":                 {{Kind: stream.Mkfile, Path: "../outside/new"}},
		"absolute":             {{Kind: stream.Mkfile, Path: outside + "/new"}},
		"a dot inside":         {{Kind: stream.Mkdir, Path: "a"}, {Kind: stream.Mkfile, Path: "a/../../outside/new"}},
		"through a link":       {link, {Kind: stream.Mkfile, Path: "l/new"}},
		"through a link up":    {up, {Kind: stream.Mkfile, Path: "l/outside/new"}},
		"write a link":         {file, {Kind: stream.Write, Path: "l", Data: []byte("bad")}},
		"truncate a link":      {file, {Kind: stream.Truncate, Path: "l"}},
		"chmod a link":         {file, {Kind: stream.Chmod, Path: "l", Mode: 0o777}},
		"rename out":           {mk, {Kind: stream.Rename, Path: "x", PathTo: "../outside/x"}},
		"rename in":            {{Kind: stream.Rename, Path: "../outside/f", PathTo: "f"}},
		"link in":              {{Kind: stream.Link, Path: "f", PathLink: "../outside/f"}},
		"link through a link":  {link, {Kind: stream.Link, Path: "f", PathLink: "l/f"}},
		"unlink":               {link, {Kind: stream.Unlink, Path: "l/f"}},
		"rmdir":                {link, {Kind: stream.Rmdir, Path: "l/d"}},
		"times through a link": {link, {Kind: stream.Utimes, Path: "l/f", Atime: at, Mtime: at, Ctime: at}},
		"xattr through a link": {link, {Kind: stream.SetXattr, Path: "l/f", XattrName: "user.x"}},
		"make over a link":     {file, {Kind: stream.Mkfile, Path: "l"}},
		"clone through a link": {link, mk, {Kind: stream.Clone, Path: "x", ClonePath: "l/f", CloneLen: 4, CloneUUID: stream.UUID{1}}},
		"clone a stranger":     {mk, {Kind: stream.Clone, Path: "x", ClonePath: "f", CloneLen: 4, CloneUUID: stream.UUID{9}}},
		"write a device":       {{Kind: stream.Mknod, Path: "n", Mode: syscall.S_IFCHR | 0o600, Rdev: 1<<8 | 3}, {Kind: stream.Write, Path: "n", Data: []byte("x")}},
		"a device that is not": {{Kind: stream.Mknod, Path: "n", Mode: syscall.S_IFREG | 0o600}},
		"a file too long":      {mk, {Kind: stream.Truncate, Path: "x", Size: 1 << 63}},
	} {
		t.Run(name, func(t *testing.T) {
			var buf bytes.Buffer
			w, err := stream.NewWriter(&buf, 1)
			must(t, err)
			all := append([]stream.Command{{Kind: stream.Subvol, Path: "s", UUID: stream.UUID{1}, Ctransid: 1}}, cmds...)
			all = append(all, stream.Command{Kind: stream.End})
			for i := range all {
				must(t, w.Write(&all[i]))
			}
			r, err := stream.NewReader(&buf)
			must(t, err)
			dst := filepath.Join(top, strings.ReplaceAll(name, " ", "-"))
			if _, err := receive.Receive(context.Background(), r, dst, receive.Options{}); err == nil {
				t.Error("it was received")
			}
			if diff := cmp.Diff(before, grove.Walk(t, outside)); diff != "" {
				t.Errorf("what is outside changed: %s", diff)
			}
		})
	}
}

func TestSendingStopsWhereItIsTold(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 256)
	s := generations(t, top, 5, "", 1)[0]
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := btrfs.Send(ctx, &bytes.Buffer{}, s, btrfs.SendOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	full := errors.New("full")
	if err := btrfs.Send(context.Background(), failing{full}, s, btrfs.SendOptions{}); !errors.Is(err, full) {
		t.Errorf("a writer that fails: %v", err)
	}
	work := filepath.Join(top, "work")
	if err := btrfs.Send(context.Background(), &bytes.Buffer{}, work, btrfs.SendOptions{}); !errors.Is(err, syscall.EPERM) {
		t.Errorf("a writable subvolume: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
