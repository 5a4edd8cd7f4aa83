// SPDX-License-Identifier: GPL-3.0-or-later

package mtree

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// maxText bounds the text of one mtree. The largest packages have some
// 100,000 files at about 150 bytes each.
const maxText = 512 << 20

// Decode reads mtree text, gunzipping it first if it is compressed.
func Decode(r io.Reader) ([]Entry, error) {
	var entries []Entry
	err := Walk(r, func(e Entry) bool {
		entries = append(entries, e)
		return true
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Walk is Decode for those who need not keep all entries, or read them all:
// it ends when visit returns false.
func Walk(r io.Reader, visit func(Entry) bool) error {
	br := bufio.NewReader(r)
	magic, err := br.Peek(2)
	if err != nil && err != io.EOF {
		return fmt.Errorf("read mtree: %w", err)
	}
	var src io.Reader = br
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return fmt.Errorf("unpack mtree: %w", err)
		}
		defer z.Close()
		src = z
	}
	return walkText(&io.LimitedReader{R: src, N: maxText + 1}, visit)
}

func walkText(src *io.LimitedReader, visit func(Entry) bool) error {
	var (
		defaults = Entry{Type: File, Mode: 0o644}
		lines    = bufio.NewReaderSize(src, 64<<10)
		joined   []byte
	)
	for n := 1; ; n++ {
		part, err := lines.ReadSlice('\n')
		joined = append(joined, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			n--
			continue
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("read mtree line %d: %w", n, err)
		}
		if src.N <= 0 {
			return &Error{Line: n, Err: ErrTooLarge}
		}
		if goesOn(joined) {
			joined = append(joined[:len(joined)-2], ' ')
			continue
		}
		e, perr := decodeLine(string(bytes.TrimSpace(joined)), &defaults)
		if perr != nil {
			perr.Line = n
			return perr
		}
		if e != nil && !visit(*e) || err == io.EOF {
			return nil
		}
		joined = joined[:0]
	}
}

// goesOn tells whether a line ends with a backslash that is not itself quoted.
func goesOn(line []byte) bool {
	text, ended := bytes.CutSuffix(line, []byte{'\n'})
	slashes := len(text) - len(bytes.TrimRight(text, "\\"))
	return ended && slashes%2 == 1
}

// decodeLine returns the entry of a line, if it has one, or changes defaults.
func decodeLine(line string, defaults *Entry) (*Entry, *Error) {
	if line == "" || line[0] == '#' {
		return nil, nil
	}
	name, rest := word(line)
	switch name {
	case "/set":
		return nil, setAll(defaults, rest)
	case "/unset":
		unset(defaults, rest)
		return nil, nil
	}
	path, err := cleanPath(name)
	if err != nil {
		return nil, &Error{Field: name, Err: err}
	}
	e := *defaults
	e.Path = path
	if perr := setAll(&e, rest); perr != nil {
		return nil, perr
	}
	return &e, nil
}

// word cuts the first blank-separated word off.
func word(s string) (first, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], " \t")
}

// cleanPath turns "./usr/bin/a\040b" into "usr/bin/a b".
func cleanPath(s string) (string, error) {
	if s == "." || s == "./" {
		return ".", nil
	}
	if !strings.HasPrefix(s, "./") {
		return "", fmt.Errorf("%w: the path does not start with ./", ErrSyntax)
	}
	path, err := unquote(s[2:])
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(path, "/") || strings.IndexByte(path, 0) >= 0 {
		return "", ErrPath
	}
	if strings.Contains(path, "..") {
		for _, part := range strings.Split(path, "/") {
			if part == ".." {
				return "", ErrPath
			}
		}
	}
	return strings.TrimRight(path, "/"), nil
}

func setAll(e *Entry, words string) *Error {
	for words != "" {
		var w string
		w, words = word(words)
		key, value, _ := strings.Cut(w, "=")
		if err := set(e, key, value); err != nil {
			return &Error{Field: w, Err: err}
		}
	}
	return nil
}

func set(e *Entry, key, value string) (err error) {
	switch key {
	case "type":
		e.Type = Type(value)
		switch e.Type {
		case File, Dir, Symlink, FIFO, Char, Block, Socket:
		default:
			err = fmt.Errorf("%w: unknown type", ErrSyntax)
		}
	case "mode":
		var mode uint64
		if mode, err = strconv.ParseUint(value, 8, 16); err == nil && mode > 0o7777 {
			err = fmt.Errorf("%w: not a file mode", ErrSyntax)
		}
		e.Mode = uint32(mode)
	case "uid":
		e.UID, err = parseID(value)
	case "gid":
		e.GID, err = parseID(value)
	case "size":
		var size uint64
		size, err = strconv.ParseUint(value, 10, 63)
		e.Size = int64(size)
	case "time":
		e.Sec, e.Nsec, err = parseTime(value)
	case "link":
		e.Link, err = unquote(value)
	case "md5", "md5digest":
		e.MD5, err = parseDigest(value, 32)
	case "sha256", "sha256digest":
		e.SHA256, err = parseDigest(value, 64)
	}
	var number *strconv.NumError
	if errors.As(err, &number) {
		err = fmt.Errorf("%w: not a number", ErrSyntax)
	}
	return err
}

func unset(e *Entry, words string) {
	for words != "" {
		var key string
		key, words = word(words)
		switch key {
		case "type":
			e.Type = File
		case "mode":
			e.Mode = 0o644
		case "uid":
			e.UID = 0
		case "gid":
			e.GID = 0
		}
	}
}

func parseID(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err
}

// parseTime reads "seconds.nanoseconds". The second part is a count, not a
// fraction: bsdtar writes 1.5 for 1 s and 5 ns.
func parseTime(s string) (sec, nsec int64, err error) {
	first, second, both := strings.Cut(s, ".")
	if sec, err = strconv.ParseInt(first, 10, 64); err != nil || !both {
		return sec, 0, err
	}
	nsec, err = strconv.ParseInt(second, 10, 64)
	if err == nil && (nsec < 0 || nsec > 999_999_999) {
		err = fmt.Errorf("%w: nanoseconds out of range", ErrSyntax)
	}
	return sec, nsec, err
}

func parseDigest(s string, length int) (string, error) {
	if len(s) != length {
		return "", fmt.Errorf("%w: a digest of the wrong length", ErrSyntax)
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", fmt.Errorf("%w: not a hexadecimal digest", ErrSyntax)
		}
	}
	return s, nil
}

// unquote undoes the escapes of mtree(5): three octal digits, or one of C's
// letters (vis(3), VIS_CSTYLE).
func unquote(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		rest := s[i+1:]
		if len(rest) >= 3 && rest[0] <= '3' && isOctal(rest[0]) && isOctal(rest[1]) && isOctal(rest[2]) {
			b = append(b, (rest[0]-'0')<<6|(rest[1]-'0')<<3|(rest[2]-'0'))
			i += 3
			continue
		}
		if rest == "" {
			return "", fmt.Errorf("%w: a backslash at the end", ErrSyntax)
		}
		const letters, meanings = "abfnrstv\\#", "\a\b\f\n\r \t\v\\#"
		at := strings.IndexByte(letters, rest[0])
		if at < 0 {
			return "", fmt.Errorf("%w: unknown escape", ErrSyntax)
		}
		b = append(b, meanings[at])
		i++
	}
	return string(b), nil
}

func isOctal(c byte) bool { return '0' <= c && c <= '7' }
