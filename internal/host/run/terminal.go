// SPDX-License-Identifier: GPL-3.0-or-later

package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Terminal is the one that a person sits at.
type Terminal struct{ In, Out *os.File }

// OnTerminal is Run for a program that a person works with: it gets a terminal
// of its own inside the tree, and what happens there is seen, and typed, at the
// person's. Descriptors of the host stay outside.
func (c InRoot) OnTerminal(ctx context.Context, root string, argv []string, at Terminal) (int, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("run %s in %s: %w", argv[0], root, err)
	}
	ours, theirs := os.NewFile(uintptr(ends[0]), "terminal"), os.NewFile(uintptr(ends[1]), "terminal")
	defer ours.Close()
	ended := make(chan error, 1)
	go func() { ended <- at.attend(ours) }()
	code, err := c.run(ctx, root, nil, argv, streams{terminal: theirs, size: at.size()})
	theirs.Close() // where the program did not come to be, nobody sends anything
	return code, errors.Join(err, <-ended)
}

// attend waits for the other side of the terminal that the program got, and
// stands between the two until the program has ended.
func (at Terminal) attend(from *os.File) error {
	master, err := receive(from)
	if err != nil || master == nil {
		return err
	}
	defer master.Close()
	restore, err := at.raw()
	if err != nil {
		return fmt.Errorf("set up the terminal: %w", err)
	}
	defer restore()
	sizes := make(chan os.Signal, 1)
	signal.Notify(sizes, syscall.SIGWINCH)
	defer signal.Stop(sizes)
	stop, stopped, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stop.Close()
	typed := make(chan struct{})
	go func() {
		defer close(typed)
		at.passOn(master, stop, sizes)
	}()
	// A terminal whose last program is gone says EIO; before, it is all output.
	_, err = io.Copy(at.Out, master)
	stopped.Close()
	<-typed
	if errors.Is(err, syscall.EIO) {
		err = nil
	}
	return err
}

// raw lets each key through as it is, as cfmakeraw(3) does: what it means, the
// program's own terminal says.
func (at Terminal) raw() (restore func(), err error) {
	fd := int(at.In.Fd())
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	t := *was
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, was) }, unix.IoctlSetTermios(fd, unix.TCSETS, &t)
}

// passOn passes on what is typed until stop is closed at its other end. What is
// typed after that is for whoever asks next.
func (at Terminal) passOn(master, stop *os.File, sizes <-chan os.Signal) {
	buf := make([]byte, 4096)
	for {
		fds := []unix.PollFd{{Fd: int32(at.In.Fd()), Events: unix.POLLIN}, {Fd: int32(stop.Fd()), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, 200)
		if err != nil && !errors.Is(err, unix.EINTR) || fds[1].Revents != 0 {
			return
		}
		select {
		case <-sizes:
			at.resize(master)
		default:
		}
		if fds[0].Revents == 0 {
			continue
		}
		n, err := at.In.Read(buf)
		if err != nil || n == 0 {
			return
		}
		if _, err := master.Write(buf[:n]); err != nil {
			return
		}
	}
}

// resize makes the program's terminal as large as the person's.
func (at Terminal) resize(master *os.File) {
	if size := at.size(); size != nil {
		_ = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, size)
	}
}

// size is the person's terminal's; nil where it has none.
func (at Terminal) size() *unix.Winsize {
	size, err := unix.IoctlGetWinsize(int(at.In.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return nil
	}
	return size
}

// receive takes a descriptor from a socket; nil where its other end was closed.
func receive(from *os.File) (*os.File, error) {
	oob, one := make([]byte, unix.CmsgSpace(4)), make([]byte, 1)
	n, oobn, _, _, err := unix.Recvmsg(int(from.Fd()), one, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("receive the terminal: %d messages (%w)", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("receive the terminal: %d descriptors (%w)", len(fds), err)
	}
	return os.NewFile(uintptr(fds[0]), "ptmx"), nil
}

// openTerminal makes a terminal in the tree's own /dev/pts, in the child, and
// hands its master to the parent. It has its size from the start: a program asks
// once.
func openTerminal(to int, size *unix.Winsize) (slave int, err error) {
	master, err := unix.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, step("open /dev/pts/ptmx", err)
	}
	defer unix.Close(master)
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return -1, step("unlock the terminal", err)
	}
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return -1, step("number the terminal", err)
	}
	if size != nil {
		_ = unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, size)
	}
	path := "/dev/pts/" + strconv.Itoa(number)
	if slave, err = unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err != nil {
		return -1, step("open "+path, err)
	}
	if err := unix.Sendmsg(to, []byte{0}, unix.UnixRights(master), nil, 0); err != nil {
		return -1, step("hand over the terminal", err)
	}
	unix.Close(to)
	return slave, nil
}
