// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"archive/tar"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/rastos/rastos/alpm/desc"
)

// universe makes packages that are in number, size and relations as those of a
// large distribution: what is frequent in its fields is as frequent there. The
// same number gives the same packages.
type universe struct {
	rand  *rand.Rand
	names []string
	taken map[string]bool
}

// repository is one part of a universe, with its share of the packages.
type repository struct {
	name  string
	share float64
}

func repositories() []repository {
	return []repository{{"core", 0.005}, {"extra", 0.235}, {"community", 0.75}, {"multilib", 0.01}}
}

// epoch is when everything was built.
var epoch = time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC)

func newUniverse() *universe {
	return &universe{rand: rand.New(rand.NewPCG(20240517, 60000)), taken: map[string]bool{}}
}

// write makes the databases of n packages in dir.
func (u *universe) write(dir string, n int) error {
	for _, r := range repositories() {
		if err := u.writeRepo(filepath.Join(dir, r.name+".db"), max(1, int(float64(n)*r.share+0.5))); err != nil {
			return err
		}
	}
	return nil
}

func (u *universe) writeRepo(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	packed := gzip.NewWriter(f)
	packed.ModTime = epoch
	w := tar.NewWriter(packed)
	for range n {
		p := u.pkg()
		data, err := desc.EncodeSync(p)
		if err != nil {
			return err
		}
		dir := tar.Header{Typeflag: tar.TypeDir, Name: p.Entry() + "/", Mode: 0o755, ModTime: epoch}
		file := tar.Header{Typeflag: tar.TypeReg, Name: p.Entry() + "/desc", Mode: 0o644, ModTime: epoch, Size: int64(len(data))}
		if err := w.WriteHeader(&dir); err != nil {
			return err
		}
		if err := w.WriteHeader(&file); err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := packed.Close(); err != nil {
		return err
	}
	return f.Close()
}

func (u *universe) chance(percent float64) bool { return u.rand.Float64()*100 < percent }

func (u *universe) word() string {
	const starts = "b c d f g gn gt h j k kd l lib m n o p pl pr py q r s sh st t tr u v w x z"
	const ends = "ack al am ar at ed el en er et ice ig il in ink io is it ix o oc od ol on op or ot ox ub ude um un us ux"
	one := func(list string) string {
		parts := strings.Fields(list)
		return parts[u.rand.IntN(len(parts))]
	}
	word := one(starts) + one(ends)
	if u.chance(45) {
		word += one(starts) + one(ends)
	}
	return word
}

func (u *universe) name() string {
	prefixes := []string{"python-", "perl-", "lib", "haskell-", "ruby-", "gnome-", "kde-", "texlive-", "ttf-", "r-", "php-", "go-", "xf86-"}
	suffixes := []string{"-utils", "-docs", "-git", "-common", "-devel", "2", "-qt", "-data", "-cli", "-plugins"}
	for {
		name := u.word()
		if u.chance(50) {
			name = prefixes[u.rand.IntN(len(prefixes))] + name
		}
		if u.chance(35) {
			name += "-" + u.word()
		}
		if u.chance(25) {
			name += suffixes[u.rand.IntN(len(suffixes))]
		}
		if !u.taken[name] {
			u.taken[name] = true
			u.names = append(u.names, name)
			return name
		}
	}
}

// earlier is the name of a package that there is already, of the first ones
// more often: much depends on little.
func (u *universe) earlier() string {
	x := math.Pow(u.rand.Float64(), 6)
	return u.names[int(x*float64(len(u.names)-1))]
}

func (u *universe) bytes(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(u.rand.Uint32())
	}
	return data
}

func (u *universe) sentence(words int) string {
	parts := make([]string, words)
	for i := range parts {
		parts[i] = u.word()
	}
	text := strings.Join(parts, " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

func (u *universe) pkg() *desc.Package {
	known := len(u.names) > 20
	name := u.name()
	p := &desc.Package{
		Name: name, Base: name, Version: fmt.Sprintf("%d.%d.%d-%d", 1+u.rand.IntN(9), u.rand.IntN(30), u.rand.IntN(12), 1+u.rand.IntN(4)),
		Description: u.sentence(4 + u.rand.IntN(6)), URL: "https://www.example.org/projects/" + name, Arch: "x86_64",
		Packager: u.sentence(1) + " " + u.sentence(1) + " <" + u.word() + "@example.org>", Licenses: []string{"GPL"},
		BuildDate: epoch.Unix() - u.rand.Int64N(2e8), CompressedSize: 2000 + u.rand.Int64N(5e6), InstalledSize: 9000 + u.rand.Int64N(2e7),
		MD5: hex.EncodeToString(u.bytes(16)), SHA256: hex.EncodeToString(u.bytes(32)),
		PGPSig: base64.StdEncoding.EncodeToString(u.bytes(310)),
	}
	if u.chance(30) {
		p.Arch = "any"
	}
	p.Filename = p.Entry() + "-" + p.Arch + ".pkg.tar.zst"
	if known {
		u.relate(p)
	}
	return p
}

// relate gives a package relations to those before it.
func (u *universe) relate(p *desc.Package) {
	some := func(list *[]string, percent float64, most int, text func() string) {
		if u.chance(percent) {
			for range 1 + u.rand.IntN(most) {
				*list = append(*list, text())
			}
		}
	}
	some(&p.Depends, 93, 6, func() string {
		dep := u.earlier()
		if u.chance(10) {
			dep += ">=1.0"
		}
		return dep
	})
	some(&p.MakeDepends, 73, 14, u.earlier)
	some(&p.CheckDepends, 10, 3, u.earlier)
	some(&p.OptDepends, 17, 6, func() string { return u.earlier() + ": " + u.sentence(3) })
	some(&p.Provides, 26, 2, func() string { return fmt.Sprintf("lib%s.so=%d-64", u.word(), u.rand.IntN(9)) })
	some(&p.Conflicts, 13, 1, func() string { return p.Name + "-old" })
	some(&p.Replaces, 7, 1, func() string { return p.Name + "-old" })
	some(&p.Groups, 18, 1, func() string { return "group-" + u.word()[:2] })
}
