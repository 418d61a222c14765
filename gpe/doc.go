// SPDX-License-Identifier: Apache-2.0

// Package gpe manages overlays of VPP's lisp plugin: MACs and prefixes (EIDs) that are at
// this VPP or at others, whose frames and packets travel between locators, encapsulated
// with the number of their network (VNI), by LISP-GPE.
//
// An overlay is on as long as there is an [Overlay]. A [VNI] joins a bridge domain, or a
// table, to the same of other VPPs. A [LocatorSet] says which interfaces of this VPP others
// reach it by, a [LocalEID] who is behind it, a [RemoteEID] who is where else, and an
// [ARPEntry] answers who asks for an address, since VPP floods nothing into an overlay.
//
// Requests go by the modules lisp and one, of which each has what the other one lacks: VPP
// gives the details of one's dumps the numbers of other messages, and lisp has no ARP
// entries.
//
// # What VPP leaves behind
//
// Interfaces of VNIs (l2_lisp_gpe100, lisp_gpe100) are never deleted: one whose VNI is gone
// stays, down, and is the next VNI's, under another name, even if it was made for a table
// and that one is a bridge domain's. In such an interface frames end; so [VNIs] looks, and
// refuses what it got. A table that once had a VNI stays as long as VPP runs. The locators
// of a remote EID stay when it is removed, without a name, a few hundred bytes each; when it
// moves, they are replaced.
//
// # Whose it is, and what it costs
//
// A locator set is ours by its name in VPP, "owner/name". A VNI is ours if its bridge domain
// or table is, or if it is claimed; what is in a VNI of ours, and the [Overlay] itself, too.
// All kinds are safe for concurrent use. A reading costs a dump of each sort, and a few more
// for each locator set, VNI and remote EID.
package gpe
