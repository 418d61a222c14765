// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// openDir opens a directory whose place a container may have put a link in: that is refused, and what is
// opened, made or removed in the root is in that directory, whatever is put in its place later.
func openDir(path string) (*os.Root, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	return os.OpenRoot(held(f))
}

// node opens what has this name in a directory, to look at it: a link is the link itself, and what is opened
// stays the same file whatever a container puts in its place.
func node(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, nil, err
	}
	defer dir.Close()
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// held is a path of an open file that nobody can lead elsewhere.
func held(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// content reads a regular file of a directory; nothing else is opened: it might not end, or wait.
func content(root *os.Root, name string) ([]byte, error) {
	f, info, err := node(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = 1 << 20
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", name, most)
	}
	r, err := os.Open(held(f))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, most))
}

// bound says whether a process has a socket: what one left that died has nobody. Sockets of containers are
// of connections, and refuse a datagram's: to ask disturbs none of them.
func bound(socket *os.File) bool {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return true
	}
	defer unix.Close(s)
	return !errors.Is(unix.Connect(s, &unix.SockaddrUnix{Name: held(socket)}), unix.ECONNREFUSED)
}

// give lets a group use a file.
func give(f *os.File, group string, mode fs.FileMode) error {
	id, err := strconv.Atoi(group)
	if err != nil {
		g, err := user.LookupGroup(group)
		if err != nil {
			return fmt.Errorf("vhost.group: %w", err)
		}
		if id, err = strconv.Atoi(g.Gid); err != nil {
			return err
		}
	}
	if err := unix.Fchownat(int(f.Fd()), "", -1, id, unix.AT_EMPTY_PATH); err != nil {
		return &fs.PathError{Op: "chown", Path: f.Name(), Err: err}
	}
	return os.Chmod(held(f), mode)
}

// writeOnce makes a file with this content, unless there is one of that name: then it says whether that has
// the same content.
func writeOnce(path string, text []byte) (ours bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { // nobody else makes it after a boot
		return false, err
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	defer root.Close()
	name := filepath.Base(path)
	temporary := making + name
	if err := unlessAbsent(root.Remove(temporary)); err != nil {
		return false, err
	}
	step("write " + temporary)
	f, err := root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return false, err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		step("link " + path)
		err = root.Link(temporary, name) // a rename would replace what is there
	}
	if errors.Is(err, fs.ErrExist) {
		has, unread := content(root, name)
		ours, err = unread == nil && string(has) == string(text), nil
	} else {
		ours = err == nil
	}
	return ours, errors.Join(err, unlessAbsent(root.Remove(temporary)))
}

// removeOnce takes away what writeOnce has made: a file with this content.
func removeOnce(path string, text []byte) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return unlessAbsent(err)
	}
	defer root.Close()
	name := filepath.Base(path)
	step("remove " + path)
	if err := unlessAbsent(root.Remove(making + name)); err != nil {
		return err
	}
	if has, err := content(root, name); err != nil || string(has) != string(text) {
		return nil //nolint:nilerr // it is not ours
	}
	return unlessAbsent(root.Remove(name))
}

// unlessAbsent is err, unless that says that there is no such file.
func unlessAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
