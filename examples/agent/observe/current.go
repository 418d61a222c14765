// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"sync/atomic"

	"github.com/vppkit/vppkit/vppnet"
)

// current is the connection of the moment, if there is one.
type current struct{ conn atomic.Pointer[vppnet.Conn] }

func (c *current) stats() (s vppnet.Stats, ok bool) {
	conn := c.conn.Load()
	if conn == nil {
		return s, false
	}
	return conn.Stats(), true
}

// Connection tells the metrics of a connection to VPP; the caller calls what it returns when that has
// ended.
func (m *Metrics) Connection(c *vppnet.Conn) (ended func()) {
	m.connections.Inc()
	m.conn.conn.Store(c)
	return func() { m.conn.conn.CompareAndSwap(c, nil) }
}
