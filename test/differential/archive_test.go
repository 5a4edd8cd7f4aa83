// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
)

// epoch is the time of everything in packages.
func epoch() time.Time { return time.Unix(1_700_000_000, 0) }

// described is the package that a pkg statement tells of.
func described(st statement) *desc.Package {
	p := &desc.Package{Name: word(st.words, 1), Base: word(st.words, 1), Version: word(st.words, 2), Arch: "any", Description: "A package",
		URL: "https://example.org", Packager: "Nobody <nobody@example.org>", Licenses: []string{"MIT"}, BuildDate: epoch().Unix()}
	for _, kv := range st.words[min(3, len(st.words)):] {
		key, value, _ := strings.Cut(kv, "=")
		list := strings.Split(value, ",")
		switch key {
		case "depends":
			p.Depends = list
		case "optdepends":
			p.OptDepends = list
		case "provides":
			p.Provides = list
		case "conflicts":
			p.Conflicts = list
		case "replaces":
			p.Replaces = list
		case "groups":
			p.Groups = list
		case "backup":
			for _, path := range list {
				p.Backup = append(p.Backup, desc.Backup{Path: path})
			}
		}
	}
	return p
}

// archive makes the archive of a pkg statement, and what a repository says of it.
func archive(st statement, dir string) (*desc.Package, error) {
	p := described(st)
	var out bytes.Buffer
	opt := pkgfile.WriterOptions{Compression: "tar", Epoch: epoch(), Install: scriptlets(p, st)}
	w, err := pkgfile.NewWriter(&out, p, opt)
	if err != nil {
		return nil, err
	}
	for _, words := range st.under {
		if words[0] == "s" || words[0] == "x" {
			continue
		}
		h, text := header(words)
		if err := w.Add(h, strings.NewReader(text)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, p.Entry()+"-any.pkg.tar")
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		return nil, err
	}
	if p, err = pkgfile.LoadInfo(path); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(out.Bytes())
	p.Filename, p.CompressedSize, p.SHA256 = filepath.Base(path), int64(out.Len()), hex.EncodeToString(sum[:])
	return p, nil
}

func header(words []string) (*tar.Header, string) {
	h := &tar.Header{Name: word(words, 1), Mode: 0o777}
	switch words[0] {
	case "l":
		h.Typeflag, h.Linkname = tar.TypeSymlink, word(words, 2)
		return h, ""
	case "h":
		h.Typeflag, h.Linkname = tar.TypeLink, word(words, 2)
		return h, ""
	}
	h.Mode, _ = strconv.ParseInt(word(words, 2), 8, 64)
	uid, gid, _ := strings.Cut(word(words, 3), ":")
	h.Uid, _ = strconv.Atoi(uid)
	h.Gid, _ = strconv.Atoi(gid)
	if words[0] == "d" {
		h.Typeflag = tar.TypeDir
		return h, ""
	}
	text := word(words, 4)
	h.Typeflag, h.Size = tar.TypeReg, int64(len(text))
	return h, text
}

// witness is a shell function that writes down with what it was called and
// what the files of its package are then.
const witness = `seen() {
  echo "$*, in $PWD, umask $(umask)"
  for f in %s; do
    if [ -h "$f" ]; then echo "  $f: link"
    elif [ -d "$f" ]; then echo "  $f: directory"
    elif [ -e "$f" ]; then t=; read -r t <"$f"; echo "  $f: $t"
    else echo "  $f: none"; fi
  done
} >>/seen
`

func scriptlets(p *desc.Package, st statement) []byte {
	var files, functions []string
	removes := map[string]string{}
	for _, words := range st.under {
		switch words[0] {
		case "s":
			functions = append(functions, words[1:]...)
		case "x":
			removes[word(words, 1)] += removal(word(words, 2))
			if !slices.Contains(functions, word(words, 1)) {
				functions = append(functions, word(words, 1))
			}
		case "d": // see exceptions
		default:
			files = append(files, word(words, 1))
		}
	}
	if len(functions) == 0 {
		return nil
	}
	text := fmt.Sprintf(witness, strings.Join(files, " "))
	for _, name := range functions {
		text += fmt.Sprintf("%s() { seen %s %s-%s \"$@\"; echo said by %[1]s%[5]s; }\n", name, name, p.Name, p.Version, removes[name])
	}
	return []byte(text)
}

// removal is a command that removes a file. A directory it lets be: ours makes
// new ones earlier.
func removal(path string) string {
	return fmt.Sprintf("; [ -d %[1]s -a ! -h %[1]s ] || rm -f %[1]s", path)
}

// database is a sync database of these packages.
func database(list []*desc.Package) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, p := range list {
		text, err := desc.EncodeSync(p)
		if err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: p.Entry() + "/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: p.Entry() + "/desc", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(text); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// hook is the text of a hook statement.
func hook(st statement) string {
	trigger, action := "[Trigger]\n", "[Action]\n"
	needs, removes := false, ""
	for _, kv := range st.words[min(2, len(st.words)):] {
		key, value, ok := strings.Cut(kv, "=")
		line := key + "\n"
		if ok {
			line = key + " = " + value + "\n"
		}
		switch key {
		case "Operation", "Type", "Target":
			for v := range strings.SplitSeq(value, ",") {
				trigger += key + " = " + v + "\n"
			}
		case "Removes":
			removes += removal(value)
		default:
			needs = needs || key == "NeedsTargets"
			action += line
		}
	}
	script := "echo hook " + word(st.words, 1) + " >>/seen"
	if needs {
		script += "; while read -r t; do echo target $t >>/seen; done"
	}
	script += removes
	return trigger + action + "Exec = /bin/sh -c '" + script + "'\n"
}
