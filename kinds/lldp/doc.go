// SPDX-License-Identifier: Apache-2.0

// Package lldp has VPP tell its neighbours on a link who it is (LLDP, IEEE 802.1AB).
//
// A Port says so of an interface, Settings how often, and by what name. VPP is not asked for either:
// it shows no Settings, and its dump of Ports writes what neighbours say of themselves behind its
// message's end, if they take more than 64 bytes for it. So both kinds are write-only: they remember
// which VPP was told what, and tell it once more after a restart of the program, which is harmless.
// What nobody wants then stays.
//
// Ports are of interfaces of ours, or of those that are claimed, as the machine's own usually are
// (vppnet.ClaimInterfaces); Settings there is one of, which all of VPP's users share. A reading costs
// nothing. Safe for concurrent use.
package lldp
