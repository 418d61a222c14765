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
)

// lock keeps other commands of this plugin out of the data plane: a bridge domain that one
// has just made is not to be taken away by another that found it empty. The lock is on the
// directory of the data plane's own socket, so there is no file of ours, and it ends with the
// process.
func lock(ctx context.Context, socket string) (unlock func(), err error) {
	dir := filepath.Dir(socket)
	f, err := os.Open(dir)
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
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: another command has it: %w", dir, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
