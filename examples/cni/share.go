// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/internal/socketpath"
)

// A share is the directory of sockets that host and container have in common. The container
// may write to it, so nothing there is followed, and nothing there is believed: what is changed is
// held open, and what only a file there says leads to a refusal at most.
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

// taken says whose the hand-over file is, if it is another attachment's.
func (s share) taken() error {
	if h := s.read(); h != nil && !s.a.is(*h) {
		return fmt.Errorf("%s is of interface %s of container %s in network %s: that has to be deleted before",
			filepath.Join(s.a.Dir(), s.a.HandOverFile()), h.IfName, h.ContainerID, h.Name)
	}
	return nil
}

// write hands h over. A directory that is not there comes with the file in it: who dies on the way
// leaves nothing that could not be told from what is somebody's.
func (s share) write(h *netconf.HandOver) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	dir := s.a.Dir()
	if err := s.put(dir, text); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	step("mkdir " + s.temporary())
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(s.temporary(), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err // one that is there another ADD is making, or was when it was killed
	}
	if err := s.give(s.temporary()); err != nil {
		return errors.Join(err, s.clear())
	}
	if err := s.put(s.temporary(), text); err != nil {
		return errors.Join(err, s.clear())
	}
	step("rename " + s.temporary())
	if err := os.Rename(s.temporary(), dir); err != nil { // by now it is there
		return errors.Join(s.put(dir, text), s.clear())
	}
	return nil
}

// temporary is the directory until it is complete.
func (s share) temporary() string {
	dir := s.a.Dir()
	return filepath.Join(filepath.Dir(dir), making+filepath.Base(dir))
}

// give lets the group of the netconf into a directory.
func (s share) give(dir string) error {
	group := s.a.Conf.Host.Vhost.Group
	if group == "" {
		return nil
	}
	root, err := openDir(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	f, _, err := node(root, ".")
	if err != nil {
		return err
	}
	defer f.Close()
	return give(f, group, 0o750)
}

// put writes the hand-over file in one go.
func (s share) put(dir string, text []byte) error {
	root, err := openDir(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return replace(root, s.a.HandOverFile(), text, 0o644)
}

// replace writes a file in one go; what has its name goes.
func replace(root *os.Root, name string, text []byte, mode fs.FileMode) error {
	temporary := making + name
	if err := unlessAbsent(root.Remove(temporary)); err != nil {
		return err
	}
	step("write " + temporary)
	f, err := root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
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

// read gives what was handed over; nil: nothing was. The container may have written it.
func (s share) read() *netconf.HandOver {
	root, err := openDir(s.a.Dir())
	if err != nil {
		return nil
	}
	defer root.Close()
	return readIn(root, s.a.HandOverFile())
}

func readIn(root *os.Root, file string) *netconf.HandOver {
	text, err := content(root, file)
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
	if group == "" {
		return nil
	}
	root, err := openDir(s.a.Dir())
	if err != nil {
		return unlessAbsent(err)
	}
	defer root.Close()
	f, info, err := node(root, filepath.Base(s.a.Socket))
	if err != nil {
		return unlessAbsent(err) // it is the container that makes it
	}
	defer f.Close()
	if info.Mode().Type() != fs.ModeSocket {
		return nil
	}
	return give(f, group, 0o660)
}

// remove takes away what was handed over, and the directory if it is the container's own and nothing else is in
// it. The socket is the one that the data plane had for the attachment; "": it had none, and then nobody knows
// who made the one that has its name.
func (s share) remove(socket string) error {
	dir := s.a.Dir()
	root, err := openDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.clear()
	case errors.Is(err, unix.ENOTDIR):
		return nil // nothing of ours: it was refused
	case err != nil:
		return err
	}
	defer root.Close()
	theirs := func(name string) bool { h := readIn(root, name); return h != nil && !s.a.is(*h) }
	switch {
	case socket == "" && !theirs(s.a.HandOverFile()):
		err = s.unlink(root, filepath.Base(s.a.Socket), false)
	case filepath.Dir(socket) == dir:
		err = s.unlink(root, filepath.Base(socket), true)
	}
	if err != nil {
		return err
	}
	for _, name := range []string{making + s.a.HandOverFile(), s.a.HandOverFile()} { // GC knows by it of all else
		if theirs(name) {
			continue
		}
		step("remove " + name)
		if err := unlessAbsent(root.Remove(name)); err != nil {
			return err
		}
	}
	if filepath.Base(dir) == short(s.a.ContainerID) { // another is the pod's, whoever made it
		step("rmdir " + dir)
		_ = unix.Rmdir(dir) // others may have files in it
	}
	return s.clear()
}

// unlink takes away a socket of the attachment. Whose it is its name tells, if that was not given by the netconf;
// or that the data plane had the container's for the attachment. Any other goes if nobody listens on it: one
// that is in use another attachment has by now.
func (s share) unlink(root *os.Root, name string, was bool) error {
	f, info, err := node(root, name)
	if err != nil {
		return unlessAbsent(err)
	}
	defer f.Close()
	ours := s.a.Conf.Host.SocketFile() == "" && name == filepath.Base(s.a.Socket) || was && !s.a.Conf.Host.Listens()
	if info.Mode().Type() != fs.ModeSocket || !ours && !closed(f) {
		return nil
	}
	step("remove " + name)
	return unlessAbsent(root.Remove(name))
}

// closed says whether nobody has a socket any more; OVS closes one somewhat later than it says.
func closed(f *os.File) bool {
	for end := time.Now().Add(time.Second); bound(f); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// clear takes away a directory that never was complete.
func (s share) clear() error {
	temporary := s.temporary()
	if !strings.HasPrefix(filepath.Base(temporary), making) {
		return fmt.Errorf("%s is not one that was being made", temporary)
	}
	step("clear " + temporary)
	return os.RemoveAll(temporary)
}
