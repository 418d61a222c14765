// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/containernetworking/cni/pkg/types"
)

// claim keeps other commands from the attachment until the process ends or gives it up: a runtime whose
// ADD took too long may try again while that is still at work, and what the one takes back the other has
// just found. The file goes with the command, so there are as many as commands at work.
func (c *command) claim(ctx context.Context) (release func(), err error) {
	root, err := private()
	if err != nil {
		return nil, types.NewError(types.ErrIOFailure, "no lock for the interface", err.Error())
	}
	name := "lock-" + digest(spelled(control(c.Conf))+"\n"+c.Name(), 32)
	for {
		f, err := try(root, name)
		switch {
		case err != nil:
			_ = root.Close()
			return nil, types.NewError(types.ErrIOFailure, "no lock for the interface", err.Error())
		case f != nil:
			return func() { _ = root.Remove(name); _ = f.Close(); _ = root.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = root.Close()
			return nil, types.NewError(types.ErrTryAgainLater, "another command is at work on interface "+c.IfName, ctx.Err().Error())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// try locks the file of this name; nil: somebody else has it.
func try(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil { // but who had it before may have removed the file
		var is, named os.FileInfo
		if is, err = f.Stat(); err == nil {
			if named, err = root.Stat(name); err == nil && os.SameFile(is, named) {
				return f, nil
			}
		}
	}
	_ = f.Close()
	if err == nil || errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) || errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilerr // somebody else's: it is tried again
	}
	return nil, fmt.Errorf("lock %s: %w", name, err)
}
