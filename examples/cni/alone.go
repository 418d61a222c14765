// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/containernetworking/cni/pkg/types"
)

// ownLocks is root's directory of the locks of attachments.
const ownLocks = "/run/vppkit-cni"

// claim keeps other commands from the attachment until the process ends or gives it up: a runtime whose
// ADD took too long may try again while that is still at work, and what the one takes back the other has
// just found. The file goes with the command, so there are as many as commands at work.
func (c *command) claim(ctx context.Context) (release func(), err error) {
	path := filepath.Join(ownLocks, digest(control(c.Conf)+"\n"+c.Name(), 32))
	for {
		f, err := try(path)
		switch {
		case err != nil:
			return nil, types.NewError(types.ErrIOFailure, "no lock for the interface", err.Error())
		case f != nil:
			return func() { _ = os.Remove(path); _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			return nil, types.NewError(types.ErrTryAgainLater, "another command is at work on interface "+c.IfName, ctx.Err().Error())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// try locks the file with this path; nil: somebody else has it.
func try(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil { // but who had it before may have removed the file
		var is, named os.FileInfo
		if is, err = f.Stat(); err == nil {
			if named, err = os.Stat(path); err == nil && os.SameFile(is, named) {
				return f, nil
			}
		}
	}
	_ = f.Close()
	if err == nil || errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) || errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilerr // somebody else's: it is tried again
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}
