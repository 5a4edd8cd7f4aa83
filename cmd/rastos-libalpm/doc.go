// SPDX-License-Identifier: GPL-3.0-or-later

// Command rastos-libalpm is linked with the system's libalpm and does with it
// what rastos asks for over a pipe (alpm/libalpm/wire), so that rastos itself
// stays static and free of C. It is no command for people: started by hand, it
// says hello and waits.
//
// It needs libalpm's headers, and is built by `make libalpm` alone: without
// the build tag libalpm there is only a main that says so.
package main
