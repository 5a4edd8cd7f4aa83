// SPDX-License-Identifier: GPL-3.0-or-later

package process

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// credentials are those of a user and a group, by name or number; nil where they
// stay those of this process. The supplementary groups are the user's: those of
// this process would be rights that nobody gave.
func credentials(name, group string) (*syscall.Credential, error) {
	if name == "" && group == "" {
		return nil, nil
	}
	c := &syscall.Credential{Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid()), Groups: []uint32{}}
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			if u, err = user.LookupId(name); err != nil {
				return nil, fmt.Errorf("there is no user %q", name)
			}
		}
		ids, err := u.GroupIds()
		if err != nil {
			return nil, fmt.Errorf("look up the groups of user %q: %w", name, err)
		}
		for _, id := range ids {
			c.Groups = append(c.Groups, number(id))
		}
		c.Uid, c.Gid = number(u.Uid), number(u.Gid)
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			if g, err = user.LookupGroupId(group); err != nil {
				return nil, fmt.Errorf("there is no group %q", group)
			}
		}
		c.Gid = number(g.Gid)
	}
	if os.Getuid() != 0 {
		if int(c.Uid) != os.Getuid() || int(c.Gid) != os.Getgid() {
			return nil, fmt.Errorf("only root can run a process as user %q, group %q", name, group)
		}
		return nil, nil
	}
	return c, nil
}

// number reads an id, which on Linux is one.
func number(id string) uint32 {
	n, _ := strconv.ParseUint(id, 10, 32)
	return uint32(n)
}
