// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package snoop

import (
	"errors"
	"time"
)

// Memif needs Linux, as VPP does.
type Memif struct{}

// Dial fails.
func Dial(string, uint32, string) (*Memif, error) { return nil, errors.ErrUnsupported }

// Next fails.
func (*Memif) Next(time.Time) ([]byte, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Memif) Close() {}
