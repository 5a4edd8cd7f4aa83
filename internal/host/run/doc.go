// SPDX-License-Identifier: GPL-3.0-or-later

// Package run is the only door through which rastOS runs other programs.
//
// Runner runs programs of the host: an argument vector (never a shell line),
// a context that ends the whole process group, captured output, and errors
// that carry the program's last words or name the package that a missing
// program comes in.
//
// InRoot runs a program inside a system tree (scriptlets, hooks, commands in
// a node) as in a small container: own mount, pid, ipc, uts and, unless the
// network is asked for, network namespaces; fresh /proc, /dev, /run and /tmp,
// a read-only /sys. All mounts are made by the child in its own namespace,
// so that nothing is left on the host even when the parent is killed, and
// all processes end with the one that was asked for. The child is this same
// program (/proc/self/exe) under another argv[0]: MaybeChild, called first
// thing in main and in TestMain, takes over there.
//
// Not here: resource limits (cgroups), user namespaces, seccomp. A scriptlet
// is trusted as far as root in the tree is; what is kept from it are the
// running kernel (modules, clock, sysctls) and the host's processes, mounts
// and network.
package run
