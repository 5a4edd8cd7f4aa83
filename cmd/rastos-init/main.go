// SPDX-License-Identifier: GPL-3.0-or-later

// Command rastos-init is the small second binary of rastOS. As PID 1 of the
// initramfs it loads the modules that the machine needs, mounts the node that
// the kernel's command line names and the deployment's /etc over it, and becomes
// the node's own init. As `rastos-init agent` it is the guest's end of the
// control channel of internal/agent.
//
// The initramfs knows these words of the command line: root= (UUID=, LABEL=,
// PARTUUID= or a device), rootfstype=, rootflags=, ro, rw, rootwait, init=,
// panic=, rastos.deploy=<n>, rastos.timeout=<seconds>,
// rastos.watchdog=<seconds>, rastos.break. Whatever
// fails is printed on the console, kept in the deployment's folder as far as that
// can be reached, and followed by a reboot, so that boot counting goes on to
// another entry.
//
// Not implemented: encrypted roots, btrfs over several devices, resuming from
// hibernation, and being the PID 1 of a running system.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "unknown"

func main() {
	switch {
	case os.Getpid() == 1:
		bootNode(os.Args, os.Environ()) // never returns
	case len(os.Args) == 2 && os.Args[1] == "agent":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		if err := serveAgent(ctx, os.DirFS("/")); err != nil {
			fmt.Fprintln(os.Stderr, "rastos-init agent:", err)
			os.Exit(1)
		}
	case len(os.Args) == 2 && os.Args[1] == "--version":
		fmt.Println("rastos-init", version)
	default:
		fmt.Fprintln(os.Stderr, "usage: rastos-init agent | --version (as PID 1 of an initramfs it takes no arguments)")
		os.Exit(2)
	}
}
