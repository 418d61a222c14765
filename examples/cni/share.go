// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/internal/socketpath"
)

// A share is the directory of sockets that host and container have in common. The container
// may write to it, so nothing there is followed: files are opened within it, as os.Root does.
//
// Modes: a directory that is made here is 0755, or 0750 of the group that vhost.group names;
// the files in it are 0644.
type share struct{ a *Attachment }

// making is before the name of a directory that is not complete yet.
const making = ".userspace-"

// check says why the socket cannot be where it is to be.
func (s share) check() error {
	dir := s.a.Dir()
	if f, err := os.Lstat(dir); err == nil && !f.IsDir() {
		return fmt.Errorf("%s is to be a directory, and is a %v", dir, f.Mode().Type())
	}
	return socketpath.Confine([]string{dir}, s.a.Socket, true)
}

// write hands h over. A directory that is not there comes with the file in it: who dies on the way
// leaves nothing that could not be told from what is somebody's.
func (s share) write(h *netconf.HandOver) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	dir := s.a.Dir()
	if _, err := os.Stat(dir); err == nil {
		return s.put(dir, text)
	}
	temporary := filepath.Join(filepath.Dir(dir), making+filepath.Base(dir))
	step("mkdir " + temporary)
	if err := os.MkdirAll(temporary, 0o755); err != nil {
		return err
	}
	if group := s.a.Conf.Host.Vhost.Group; group != "" {
		if err := chown(temporary, group, 0o750); err != nil {
			return errors.Join(err, s.clear(temporary))
		}
	}
	if err := s.put(temporary, text); err != nil {
		return errors.Join(err, s.clear(temporary))
	}
	step("rename " + temporary)
	if err := os.Rename(temporary, dir); err != nil { // by now it is there
		return errors.Join(s.put(dir, text), s.clear(temporary))
	}
	return nil
}

// put writes the hand-over file in one go.
func (s share) put(dir string, text []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	name := s.a.HandOverFile()
	temporary := making + name
	if err := root.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	step("write " + temporary)
	f, err := root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	step("rename " + temporary)
	return root.Rename(temporary, name)
}

// read gives what was handed over; nil: nothing was.
func (s share) read() *netconf.HandOver {
	root, err := os.OpenRoot(s.a.Dir())
	if err != nil {
		return nil
	}
	defer root.Close()
	return readIn(root, s.a.HandOverFile())
}

func readIn(root *os.Root, file string) *netconf.HandOver {
	if f, err := root.Lstat(file); err != nil || !f.Mode().IsRegular() || f.Size() > 1<<20 {
		return nil
	}
	text, err := root.ReadFile(file)
	if err != nil {
		return nil
	}
	var h netconf.HandOver
	if json.Unmarshal(text, &h) != nil {
		return nil
	}
	return &h
}

// open lets the group of the netconf use the socket that the data plane has made.
func (s share) open() error {
	group := s.a.Conf.Host.Vhost.Group
	f, err := os.Lstat(s.a.Socket)
	if group == "" || err != nil || f.Mode().Type() != fs.ModeSocket {
		return nil //nolint:nilerr // it is the container that makes it
	}
	return chown(s.a.Socket, group, 0o660)
}

// remove takes away what was handed over, and the directory if nothing else is in it.
func (s share) remove(socket string) error {
	dir := s.a.Dir()
	if f, err := os.Lstat(dir); err == nil && !f.IsDir() {
		return nil // nothing of ours: it was refused
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s.clear(filepath.Join(filepath.Dir(dir), making+filepath.Base(dir)))
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if socket == "" {
		socket = s.a.Socket
	}
	if filepath.Dir(socket) == dir {
		name := filepath.Base(socket)
		if f, err := root.Lstat(name); err == nil && f.Mode().Type() == fs.ModeSocket {
			step("remove " + name)
			if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	for _, name := range []string{making + s.a.HandOverFile(), s.a.HandOverFile()} { // GC knows by it of all else
		step("remove " + name)
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	step("rmdir " + dir)
	_ = os.Remove(dir) // others may have files in it
	return s.clear(filepath.Join(filepath.Dir(dir), making+filepath.Base(dir)))
}

// clear takes away a directory that never was complete.
func (s share) clear(temporary string) error {
	if !strings.HasPrefix(filepath.Base(temporary), making) {
		return fmt.Errorf("%s is not one that was being made", temporary)
	}
	step("clear " + temporary)
	return os.RemoveAll(temporary)
}

func chown(path, group string, mode fs.FileMode) error {
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
	if err := os.Lchown(path, -1, id); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
