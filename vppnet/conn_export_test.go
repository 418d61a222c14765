// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"net"
)

// What the tests of package vppnet_test need from inside.

// WithTransport makes Dial talk to what dial returns instead of a socket.
func WithTransport(dial func() (net.Conn, error)) Option {
	return func(o *options) {
		o.dial = func(context.Context, string) (net.Conn, error) { return dial() }
	}
}

// SetLastContext makes c go on numbering after id.
func SetLastContext(c *Conn, id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = id
}

const (
	MaxContext = maxContext
	MaxEvents  = maxEvents
)

// ParsePacket reads the text of a captured packet.
var ParsePacket = parsePacket
