// SPDX-License-Identifier: GPL-3.0-or-later

package stream

import "strconv"

// Kind is what a command does.
type Kind uint16

// The commands, by the numbers of the protocol; those from Fallocate on need
// version 2.
const (
	Subvol       Kind = 1
	Snapshot     Kind = 2
	Mkfile       Kind = 3
	Mkdir        Kind = 4
	Mknod        Kind = 5
	Mkfifo       Kind = 6
	Mksock       Kind = 7
	Symlink      Kind = 8
	Rename       Kind = 9
	Link         Kind = 10
	Unlink       Kind = 11
	Rmdir        Kind = 12
	SetXattr     Kind = 13
	RemoveXattr  Kind = 14
	Write        Kind = 15
	Clone        Kind = 16
	Truncate     Kind = 17
	Chmod        Kind = 18
	Chown        Kind = 19
	Utimes       Kind = 20
	End          Kind = 21
	UpdateExtent Kind = 22
	Fallocate    Kind = 23
	FileAttr     Kind = 24
	EncodedWrite Kind = 25
)

// Attr is one value of a command.
type Attr uint16

// The attributes, by the numbers of the protocol.
const (
	AUUID             Attr = 1
	ACtransid         Attr = 2
	AIno              Attr = 3
	ASize             Attr = 4
	AMode             Attr = 5
	AUID              Attr = 6
	AGID              Attr = 7
	ARdev             Attr = 8
	ACtime            Attr = 9
	AMtime            Attr = 10
	AAtime            Attr = 11
	AOtime            Attr = 12
	AXattrName        Attr = 13
	AXattrData        Attr = 14
	APath             Attr = 15
	APathTo           Attr = 16
	APathLink         Attr = 17
	AFileOffset       Attr = 18
	AData             Attr = 19
	ACloneUUID        Attr = 20
	ACloneCtransid    Attr = 21
	AClonePath        Attr = 22
	ACloneOffset      Attr = 23
	ACloneLen         Attr = 24
	AFallocateMode    Attr = 25
	AFileAttr         Attr = 26
	AUnencodedFileLen Attr = 27
	AUnencodedLen     Attr = 28
	AUnencodedOffset  Attr = 29
	ACompression      Attr = 30
	AEncryption       Attr = 31
)

// layout says what a command is made of, in the order in which the kernel
// writes it.
type layout struct {
	name     string
	version  int // of the protocol, the first that has it
	required []Attr
	optional []Attr // may stand anywhere
}

// layouts are all commands.
var layouts = map[Kind]layout{
	Subvol:       {"subvol", 1, []Attr{APath, AUUID, ACtransid}, nil},
	Snapshot:     {"snapshot", 1, []Attr{APath, AUUID, ACtransid, ACloneUUID, ACloneCtransid}, nil},
	Mkfile:       {"mkfile", 1, []Attr{APath}, []Attr{AIno}},
	Mkdir:        {"mkdir", 1, []Attr{APath}, []Attr{AIno}},
	Mknod:        {"mknod", 1, []Attr{APath, ARdev, AMode}, []Attr{AIno}},
	Mkfifo:       {"mkfifo", 1, []Attr{APath}, []Attr{AIno, ARdev, AMode}},
	Mksock:       {"mksock", 1, []Attr{APath}, []Attr{AIno, ARdev, AMode}},
	Symlink:      {"symlink", 1, []Attr{APath, APathLink}, []Attr{AIno}},
	Rename:       {"rename", 1, []Attr{APath, APathTo}, nil},
	Link:         {"link", 1, []Attr{APath, APathLink}, nil},
	Unlink:       {"unlink", 1, []Attr{APath}, nil},
	Rmdir:        {"rmdir", 1, []Attr{APath}, nil},
	SetXattr:     {"set_xattr", 1, []Attr{APath, AXattrName, AXattrData}, nil},
	RemoveXattr:  {"remove_xattr", 1, []Attr{APath, AXattrName}, nil},
	Write:        {"write", 1, []Attr{APath, AFileOffset, AData}, nil},
	Clone:        {"clone", 1, []Attr{AFileOffset, ACloneLen, APath, ACloneUUID, ACloneCtransid, AClonePath, ACloneOffset}, nil},
	Truncate:     {"truncate", 1, []Attr{APath, ASize}, nil},
	Chmod:        {"chmod", 1, []Attr{APath, AMode}, nil},
	Chown:        {"chown", 1, []Attr{APath, AUID, AGID}, nil},
	Utimes:       {"utimes", 1, []Attr{APath, AAtime, AMtime, ACtime}, []Attr{AOtime}},
	End:          {"end", 1, nil, nil},
	UpdateExtent: {"update_extent", 1, []Attr{APath, AFileOffset, ASize}, nil},
	Fallocate:    {"fallocate", 2, []Attr{APath, AFallocateMode, AFileOffset, ASize}, nil},
	FileAttr:     {"fileattr", 2, []Attr{APath, AFileAttr}, nil},
	EncodedWrite: {"encoded_write", 2, []Attr{APath, AFileOffset, AUnencodedFileLen, AUnencodedLen, AUnencodedOffset, AData}, []Attr{ACompression, AEncryption}},
}

// String is the name of the command, as btrfs-progs prints it.
func (k Kind) String() string {
	if l, ok := layouts[k]; ok {
		return l.name
	}
	return "command " + strconv.Itoa(int(k))
}
