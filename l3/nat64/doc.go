// SPDX-License-Identifier: Apache-2.0

// Package nat64 manages VPP's NAT64: hosts that have only IPv6 and speak to a world of IPv4.
//
// An [Interface] says whether hosts or the world are behind an interface, a [Prefix] by which
// addresses the hosts of a table see the world, an [Address] what they share there, a [Mapping]
// which port of the world is one of a host's, [Timeouts] how long VPP remembers who speaks to
// whom. VPP's NAT64 is turned on with the first Interface or Mapping, with the [Sizes] that its
// kind was told, and stays on: turned off, VPP up to 26.06 leaves what faces the world in
// effect, and dies of the next packet.
//
// What comes in by an inside interface is translated whatever its destination, but for VPP's
// own addresses: give hosts that speak IPv6 to others, too, another interface for that. A table
// whose hosts are translated needs a Prefix of its own if the default table has one: else VPP
// reads that one from beyond the end of its list.
//
// VPP's NAT64 knows no owners. What is of a table of ours is ours, and what is in a prefix that is
// claimed. An Interface is, if the interface is, or its table, or if it is claimed; Timeouts are
// whose engine has the kind.
//
// VPP never lets go of a table that had a Prefix, or that a Mapping was asked for: the table
// stays, empty, when its l3.Table goes, and is found and removed in vain until VPP ends. A VPP
// with one worker puts mappings where that worker does not look: use none, or several.
//
// A reading costs one dump for each kind, which for mappings has all hosts' sessions in it, and
// from VPP 25.06 on two questions for each interface. Safe for concurrent use.
package nat64
