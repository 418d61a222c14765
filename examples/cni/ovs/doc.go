// SPDX-License-Identifier: Apache-2.0

// Package ovs manages Open vSwitch by the desired-state engine that elsewhere manages VPP:
// bridges and their ports, vhost-user ports of OVS-DPDK above all. The engine knows
// nothing of either.
//
// OVS does what its database says. A kind writes there, by OVSDB (RFC 7047, with libovsdb),
// waits until ovs-vswitchd has taken that up, as ovs-vsctl does, and says what ovs-vswitchd
// says of it: a port that could not be made is an error, and not there.
//
// # What is ours
//
// A Conn is dialled with an owner. Ours is what has it and a name in its external_ids:
//
//	vppkit-owner="node1", vppkit-name="vm1"
//
// All else is foreign: it may be referred to, and stays as it is. A name means one thing:
//
//   - ours are called as they were wanted, "vm1", and can contain neither a slash nor "ovs:"
//     in front;
//   - another owner's are called "node2/vm1";
//   - nobody's are called by OVS's name for them, "ovs:br-int";
//   - of several with one mark the first by OVS's name has its name; the others are surplus,
//     "vm1~br7", and go with what is not wanted.
//
// OVS's own names are one space for all owners: who has one keeps it, and the other is
// refused with desiredstate.ErrForeign before anything is sent.
//
// # Handles
//
// OVS knows rows by UUIDs, which are never used again. A Conn numbers those that it sees, and
// the numbers are the engine's handles; they mean nothing to another Conn. So no handle has
// to be verified: each transaction changes rows by UUID, on the condition that they still are
// ours, and what has gone or changed hands makes it fail as a whole.
package ovs
