// SPDX-License-Identifier: Apache-2.0

// Package l3 has the kinds that make VPP a router: tables (VRFs), interfaces in
// them, addresses, routes, neighbours, and what is told to hosts: proxy ARP,
// router advertisements, relayed DHCP. NAT is in package l3/nat, virtual routers
// (VRRP) are in l3/vrrp.
//
// Where a spec has a Table, "" is VPP's default table, and any other name that of
// a [Table]. Prefixes and addresses are netip values: an IPv4 address is never
// written as an IPv6 one, and none has a zone.
//
// A Table is ours by its name in VPP, "owner/name". What is on an interface of ours, or in a
// table of ours, is ours, but of an interface that somebody has in a table of ours by one family
// nothing of the other; on others only what is claimed, and a table of ours takes what others put
// into it with it when it goes. A [Route] in the default table, which is nobody's,
// has to be claimed.
//
// The kinds are safe for concurrent use. VPP has no dump of all addresses, or of all
// memberships: they are asked for interface by interface, in one round trip, and
// vppnet.DisclaimInterfaces spares those that never have any. [Routes] walk each table twice.
// After that an object costs its own messages.
package l3
