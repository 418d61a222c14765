// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Places lists what a kind has to require whose objects hang on an interface's place in a
// table: interfaces, tables, and who is in which.
func Places(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{vppnet.Interfaces(c), Tables(c), Memberships(c)}
}

// TableOf is the table that a Membership puts the interface with this index into, of IPv4 or
// IPv6, "" if there is none, during the Dump of a kind that requires Places.
func TableOf(v *desiredstate.View, index uint32, ipv6 bool) string {
	m, _ := desiredstate.At[Membership](v, index)
	if ipv6 && m.Spec.NoIPv6 || !ipv6 && m.Spec.NoIPv4 {
		other, _ := m.Note.(string) // of an interface that is in two tables
		return other
	}
	return m.Spec.Table
}
