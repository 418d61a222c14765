// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// private opens the directory of what nobody but the plugin may open: the locks, which whoever can open
// them can hold, and what it believes of itself. It is not to outlive a boot, as what it tells of does not.
func private() (*os.Root, error) {
	dir := cmp.Or(os.Getenv("VPPKIT_CNI_DIR"), "/run/vppkit-cni")
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	root, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	f, err := root.Stat(".")
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	if of, ok := f.Sys().(*syscall.Stat_t); !ok || int(of.Uid) != os.Geteuid() || f.Mode().Perm()&0o077 != 0 {
		_ = root.Close()
		return nil, fmt.Errorf("directory %s is open to others (%v): want mode 0700 of user %d, or others could stop all commands", dir, f.Mode(), os.Geteuid())
	}
	return root, nil
}

// lock keeps other commands of this plugin out of the data plane with this socket: a bridge domain that one
// has just made is not to be taken away by another that found it empty. The lock ends with the
// process; its file stays.
func lock(ctx context.Context, socket string) (unlock func(), err error) {
	root, err := private()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile("lock-"+digest(spelled(socket), 12), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: another command has it: %w", f.Name(), ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// spelled is one path of a socket for all that lead to it, as /var/run and /run do. The socket need not be
// there.
func spelled(socket string) string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(socket))
	if err != nil {
		dir = filepath.Dir(socket)
	}
	return filepath.Join(dir, filepath.Base(socket))
}
