// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package vpptest

import (
	"bytes"
	"errors"
)

// A process is what StartReal has refused before it would start one.
type process struct {
	dead chan struct{}
	said bytes.Buffer
}

func start([]string) (*process, error) { return nil, errors.ErrUnsupported }

func (p *process) kill() {}
