// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Kind is what a blob is to the loader.
type Kind string

// The kinds of blob.
const (
	Linux  Kind = "linux"
	Initrd Kind = "initrd"
)

// reserve is kept free: entries, the loader's own files and FAT's clusters
// need some room beside the blobs.
const reserve = 1 << 20

// Sum is the SHA-256 of a blob's content in hex, which is also its place.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// BlobPath is the path of a blob in an entry; ESP wants it without the slash.
func BlobPath(sum string, kind Kind) string { return "/" + path.Join(BlobsDir, sum, string(kind)) }

// parseBlobPath is the reverse of BlobPath; the leading slash may be missing.
func parseBlobPath(name string) (digest string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "/"), "/")
	if len(parts) != 3 || !strings.EqualFold(parts[0], BlobsDir) {
		return "", false
	}
	digest = strings.ToLower(parts[1])
	return digest, isDigest(digest)
}

func isDigest(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size && s == strings.ToLower(s)
}

// CorruptError is a blob that does not read back as what was written.
type CorruptError struct{ Path, Digest string }

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s on the EFI system partition has the SHA-256 %s", e.Path, e.Digest)
}

// ExitCode is the class "verification".
func (e *CorruptError) ExitCode() int { return 5 }

// Hint says what is likely behind it.
func (e *CorruptError) Hint() string {
	return "check the disk and the partition's file system (fsck.fat), then run the command again"
}

// Verify re-hashes a blob of an entry. A garbage kernel makes the loader return
// to the firmware, where nothing falls back: nothing else may name one.
func Verify(esp ESP, name string) error {
	digest, ok := parseBlobPath(name)
	if !ok {
		return fmt.Errorf("verify %s: not the path of a blob", name)
	}
	data, err := esp.ReadFile(strings.TrimPrefix(name, "/"))
	if err != nil {
		return fmt.Errorf("verify %s: %w", name, err)
	}
	if got := Sum(data); got != digest {
		return &CorruptError{Path: name, Digest: got}
	}
	return nil
}

// Preflight says whether the partition has room for those of the blobs that it
// does not hold yet; the error is a *NoSpaceError then.
func Preflight(esp ESP, blobs ...[]byte) error {
	var need int64
	seen := map[string]bool{}
	for _, data := range blobs {
		sum := Sum(data)
		there, err := hasBlob(esp, sum)
		if err != nil {
			return err
		}
		if !there && !seen[sum] {
			need += int64(len(data))
		}
		seen[sum] = true
	}
	return checkRoom(esp, need)
}

// hasBlob says whether a folder for the content is there; PutBlob looks closer.
func hasBlob(esp ESP, sum string) (bool, error) {
	files, err := esp.ReadDir(path.Join(BlobsDir, sum))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return len(files) > 0, err
}

// BlobSize is the room that a blob takes, 0 if it is not there.
func BlobSize(esp ESP, sum string) (int64, error) {
	files, err := esp.ReadDir(path.Join(BlobsDir, sum))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var size int64
	for _, f := range files {
		size += f.Size()
	}
	return size, err
}

func checkRoom(esp ESP, need int64) error {
	free, err := esp.Free()
	if err != nil {
		return fmt.Errorf("find the room on the EFI system partition: %w", err)
	}
	if need+reserve > free {
		return &NoSpaceError{Need: need + reserve, Free: free}
	}
	return nil
}

// PutBlob writes a blob, reads it back, and returns its sum. One that is there
// and whole is not written again; one that was cut in writing is replaced.
func PutBlob(esp ESP, kind Kind, data []byte) (sum string, err error) {
	sum = Sum(data)
	name := strings.TrimPrefix(BlobPath(sum, kind), "/")
	err = Verify(esp, name)
	var corrupt *CorruptError
	switch {
	case err == nil:
		return sum, nil
	case errors.As(err, &corrupt):
		if err := esp.Remove(name); err != nil { // its room may be needed
			return "", fmt.Errorf("replace %s: %w", name, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if err := checkRoom(esp, int64(len(data))); err != nil {
		return "", err
	}
	if err := writeBlob(esp, name, data); err != nil {
		// Half a blob takes room and is worth nothing.
		return "", errors.Join(fmt.Errorf("write %s: %w", name, err), removeBlob(esp, name))
	}
	return sum, nil
}

func writeBlob(esp ESP, name string, data []byte) error {
	if err := esp.MkdirAll(path.Dir(name)); err != nil {
		return err
	}
	if err := esp.WriteFile(name, data); err != nil {
		return err
	}
	if err := esp.Sync(); err != nil {
		return err
	}
	return Verify(esp, name)
}

// removeBlob removes a blob and, if it was the last one there, its folder.
func removeBlob(esp ESP, name string) error {
	if err := esp.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	left, err := esp.ReadDir(path.Dir(name))
	if err != nil || len(left) > 0 {
		return nil // the folder alone takes one cluster
	}
	return esp.Remove(path.Dir(name))
}

// Unused is the folder of a blob that nothing needs.
type Unused struct {
	Sum  string
	Size int64  // bytes of all files in it
	dir  string // as it is spelled on the partition
}

// UnusedBlobs finds the blobs that no entry names and that used (by sum; of
// records, of a transaction under way) does not claim. An entry that cannot be
// read stops it: it may name any of them.
func UnusedBlobs(esp ESP, used func(sum string) bool) ([]Unused, error) {
	named, err := namedBlobs(esp)
	if err != nil {
		return nil, fmt.Errorf("collect blobs: %w", err)
	}
	dirs, err := esp.ReadDir(BlobsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("collect blobs: %w", err)
	}
	var out []Unused
	for _, dir := range dirs {
		u := Unused{Sum: strings.ToLower(dir.Name()), dir: path.Join(BlobsDir, dir.Name())}
		if !dir.IsDir() || !isDigest(u.Sum) || named[u.Sum] || used(u.Sum) {
			continue
		}
		files, err := esp.ReadDir(u.dir)
		if err != nil {
			return nil, fmt.Errorf("collect blobs: %w", err)
		}
		for _, f := range files {
			u.Size += f.Size()
		}
		out = append(out, u)
	}
	return out, nil
}

// CollectBlobs removes the blobs that UnusedBlobs finds, and returns the files
// that it removed.
func CollectBlobs(esp ESP, used func(sum string) bool) ([]string, error) {
	unused, err := UnusedBlobs(esp, used)
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, u := range unused {
		names, err := removeBlobDir(esp, u.dir)
		removed = append(removed, names...)
		if err != nil {
			return removed, fmt.Errorf("collect blobs: %w", err)
		}
	}
	return removed, nil
}

func removeBlobDir(esp ESP, dir string) (removed []string, err error) {
	files, err := esp.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name := path.Join(dir, f.Name())
		if err := esp.Remove(name); err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	return removed, esp.Remove(dir)
}

// namedBlobs are the digests that entries name; also entries of others, who
// could have copied ours.
func namedBlobs(esp ESP) (map[string]bool, error) {
	list, err := ListEntries(esp)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, l := range list {
		for _, f := range l.Files {
			if f.Err != nil {
				return nil, f.Err
			}
			for _, name := range append([]string{f.Entry.Linux}, f.Entry.Initrd...) {
				if digest, ok := parseBlobPath(name); ok {
					named[digest] = true
				}
			}
		}
	}
	return named, nil
}
