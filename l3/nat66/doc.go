// SPDX-License-Identifier: Apache-2.0

// Package nat66 manages VPP's NAT66: hosts that have one IPv6 address inside, and another one
// towards the world.
//
// A Mapping says which two addresses belong together, an Interface whether hosts or the world are
// behind an interface. NAT66 keeps no sessions: a packet is translated by a Mapping alone, and one
// that none is for passes as it is. VPP's NAT66 is turned on with the first object, with the
// default table for the world, and stays on; without any Interface it does nothing.
//
// A mapping is ours if its table is, or if its external address is in a prefix that is claimed, as
// VPP keeps nothing else that says whose it is. An interface is, if it bears our tag, or is
// claimed. A reading costs one dump for each kind, and from VPP 25.06 on two questions for each
// interface. Safe for concurrent use.
package nat66
