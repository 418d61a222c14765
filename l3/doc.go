// SPDX-License-Identifier: Apache-2.0

// Package l3 has the kinds that make VPP a router: tables (VRFs), interfaces in
// them, addresses, routes, neighbours, and what is told to hosts: proxy ARP,
// router advertisements, relayed DHCP. NAT is in package l3/nat, virtual routers
// (VRRP) are in l3/vrrp.
//
// Where a spec has a Table, "" is VPP's default table, and any other name that of
// a [Table]. Prefixes and addresses are netip values: an IPv4 address is never
// written as an IPv6 one, and none has a zone.
package l3
