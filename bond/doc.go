// SPDX-License-Identifier: Apache-2.0

// Package bond manages VPP's bonds, which make one interface of several links, and says
// how their members are. Bonds live in vppnet's key space of interfaces, so that bridge
// ports, link states, addresses and the like fit them as any other.
//
// VPP takes all frames of a member for the bond's before anything else looks at them, so
// nothing else can be on a member: no bridge port, address, table, filter or
// sub-interface. What is asked for all the same is refused, on whichever side it comes
// second, before anything is sent.
//
// A [Bond] is ours by its tag, a [Member] if its bond is. Safe for concurrent use. A reading costs
// one dump of the bonds, and one for the members of each.
package bond
