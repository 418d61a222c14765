// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"

	flag "github.com/spf13/pflag"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vhost"
)

// mode is who may connect to a socket, as a flag: octal, 0660.
type mode struct{ *fs.FileMode }

func (m mode) Type() string { return "mode" }

func (m mode) String() string {
	if m.FileMode == nil || *m.FileMode == 0 {
		return ""
	}
	return fmt.Sprintf("%04o", *m.FileMode)
}

func (m mode) Set(text string) error {
	n, err := strconv.ParseUint(text, 8, 9)
	if err != nil || n&0o600 != 0o600 || n&0o002 != 0 {
		return errors.New("want octal such as 0660, with which its owner can read and write, and not everybody can write")
	}
	*m.FileMode = fs.FileMode(n)
	return nil
}

// groupID is the number of a group; -1 if none is meant.
func groupID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(id), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// sockets says who may connect to sockets. The zero value leaves that to whoever makes them.
type sockets struct {
	mode  fs.FileMode // 0: as it is
	group string      // "": as it is
}

func (s *sockets) register(f *flag.FlagSet, name, whose string) {
	f.Var(mode{&s.mode}, name+"-mode", "`MODE`, octal such as 0660, of "+whose)
	f.StringVar(&s.group, name+"-group", "", "`GROUP`, by name or number, of "+whose)
}

func (s sockets) given() bool { return s != sockets{} }

// wrong says what is otherwise with a socket; "": nothing.
func (s sockets) wrong(path string, gid int) string {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err.Error()
	case info.Mode().Type() != fs.ModeSocket:
		return path + " is no socket"
	case s.mode != 0 && info.Mode().Perm() != s.mode:
		return fmt.Sprintf("mode %04o, want %04o", info.Mode().Perm(), s.mode)
	}
	if st, ok := stat(path); ok && gid >= 0 && int(st.Gid) != gid {
		return fmt.Sprintf("group %d, want %d", st.Gid, gid)
	}
	return ""
}

// set has a socket be so: the group first, or for a moment a mode would be for another one.
func (s sockets) set(path string) error {
	gid, err := groupID(s.group)
	if err != nil || s.wrong(path, gid) == "" {
		return err
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSocket {
		return errors.Join(err, fmt.Errorf("%s is no socket that can be seen here", path))
	}
	if gid >= 0 {
		err = os.Lchown(path, -1, gid)
	}
	if err == nil && s.mode != 0 {
		err = os.Chmod(path, s.mode)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: only root, or whoever has CAP_FOWNER and CAP_CHOWN, can; else have VPP make it so: its umask, and the directory's group with setgid", err)
	}
	return err
}

// guard has VPP's sockets be as they are wanted, before a port is said to be there and whenever they are
// found otherwise.
func (s sockets) guard(k *desiredstate.Kind[vhost.Port]) *desiredstate.Kind[vhost.Port] {
	if !s.given() {
		return k
	}
	k.Variant = fmt.Sprintf("%v\x00%o %s", k.Variant, s.mode, s.group)
	dump, create, update := k.Dump, k.Create, k.Update
	k.Dump = func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[vhost.Port], error) {
		gid, err := groupID(s.group)
		if err != nil {
			return nil, err
		}
		all, err := dump(ctx, v)
		for i, have := range all {
			if have.Spec.Server && !have.Foreign && have.Broken == "" {
				if why := s.wrong(have.Spec.Socket, gid); why != "" {
					all[i].Broken = "socket: " + why
				}
			}
		}
		return all, err
	}
	k.Create = func(ctx context.Context, v *desiredstate.View, p vhost.Port) (uint32, error) {
		id, err := create(ctx, v, p)
		if err == nil && p.Server {
			err = s.set(p.Socket)
		}
		return id, err
	}
	k.Update = func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[vhost.Port], want vhost.Port) error {
		if want.Server {
			if err := s.set(want.Socket); err != nil {
				return err
			}
		}
		if have.Spec == want {
			return nil
		}
		return update(ctx, v, have, want)
	}
	return k
}
