// SPDX-License-Identifier: Apache-2.0

// Package dhcp has VPP ask for IPv4 addresses by DHCP. It needs VPP's plugin dhcp; who relays
// requests of others is in package l3.
//
// A Client is ours if its interface is, or is claimed. A reading costs one dump, and a
// round trip or two for our clients. Safe for
// concurrent use.
package dhcp
