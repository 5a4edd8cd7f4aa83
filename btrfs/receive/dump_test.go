// SPDX-License-Identifier: GPL-3.0-or-later

package receive_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/btrfs/stream"
)

// dump writes a stream as `btrfs receive --dump` does.
func dump(t *testing.T, data []byte) string {
	t.Helper()
	r, err := stream.NewReader(bytes.NewReader(data))
	must(t, err)
	var out strings.Builder
	var root string
	for {
		c, err := r.Next()
		must(t, err)
		if c.Kind == stream.End {
			return out.String()
		}
		p := escape(join(root, c.Path))
		if c.Kind == stream.Subvol || c.Kind == stream.Snapshot {
			root = "./" + c.Path
			p = escape(root)
		}
		said := details(c, root)
		if said == "" {
			fmt.Fprintf(&out, "%-16s%s\n", c.Kind, p)
			continue
		}
		fmt.Fprintf(&out, "%-16s%s%s%s\n", c.Kind, p, strings.Repeat(" ", max(1, 32-len(p))), said)
	}
}

func join(root, p string) string { return root + "/" + p }

func details(c *stream.Command, root string) string {
	at := func(t time.Time) string { return t.Local().Format("2006-01-02T15:04:05-0700") }
	switch c.Kind {
	case stream.Subvol:
		return fmt.Sprintf("uuid=%s transid=%d", btrfs.UUID(c.UUID), c.Ctransid)
	case stream.Snapshot:
		return fmt.Sprintf("uuid=%s transid=%d parent_uuid=%s parent_transid=%d", btrfs.UUID(c.UUID), c.Ctransid, btrfs.UUID(c.CloneUUID), c.CloneCtransid)
	case stream.Mknod:
		return fmt.Sprintf("mode=%o dev=0x%x", c.Mode, c.Rdev)
	case stream.Symlink, stream.Link:
		return "dest=" + escape(c.PathLink)
	case stream.Rename:
		return "dest=" + escape(join(root, c.PathTo))
	case stream.Write:
		return fmt.Sprintf("offset=%d len=%d", c.FileOffset, len(c.Data))
	case stream.EncodedWrite:
		return fmt.Sprintf("offset=%d len=%d, unencoded_file_len=%d, unencoded_len=%d, unencoded_offset=%d, compression=%d, encryption=%d",
			c.FileOffset, len(c.Data), c.UnencodedFileLen, c.UnencodedLen, c.UnencodedOffset, c.Compression, c.Encryption)
	case stream.Clone:
		return fmt.Sprintf("offset=%d len=%d from=%s clone_offset=%d", c.FileOffset, c.CloneLen, join(root, c.ClonePath), c.CloneOffset)
	case stream.SetXattr:
		text, _, _ := strings.Cut(string(c.XattrData), "\x00") // it prints as C does
		return fmt.Sprintf("name=%s data=%s len=%d", c.XattrName, text, len(c.XattrData))
	case stream.RemoveXattr:
		return "name=" + c.XattrName
	case stream.Truncate:
		return fmt.Sprintf("size=%d", c.Size)
	case stream.Chmod:
		return fmt.Sprintf("mode=%o", c.Mode)
	case stream.Chown:
		return fmt.Sprintf("gid=%d uid=%d", c.GID, c.UID)
	case stream.Utimes:
		return fmt.Sprintf("atime=%s mtime=%s ctime=%s", at(c.Atime), at(c.Mtime), at(c.Ctime))
	case stream.Fallocate:
		return fmt.Sprintf("mode=%d offset=%d len=%d", c.FallocateMode, c.FileOffset, c.Size)
	case stream.FileAttr:
		return fmt.Sprintf("fileattr=0x%x", c.FileAttr)
	case stream.UpdateExtent:
		return fmt.Sprintf("offset=%d len=%d", c.FileOffset, c.Size)
	}
	return ""
}

// escape writes a path as btrfs-progs does.
func escape(p string) string {
	var out strings.Builder
	for i := range len(p) {
		switch c := p[i]; {
		case c == '\n':
			out.WriteString(`\n`)
		case c == '\\' || c == ' ':
			out.WriteString(`\` + string(c))
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&out, `\%03o`, c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}
