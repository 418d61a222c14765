// SPDX-License-Identifier: Apache-2.0

// Package classify manages VPP's classifier: tables of what packets have in certain bits, and
// what becomes of them.
//
// A Table says by which bits of a packet its sessions are told from each other; a Session says
// what becomes of packets that have certain bits, and what has none is looked for in the next
// table. An Input has what an interface receives looked up in a table, to be filtered, to be
// measured by policers, or to be counted as flows; an Output filters what it sends.
//
// VPP gives a table no name, and its index to the next one as soon as it is gone. So behind each
// table of ours stands an empty one whose mask spells "owner/name", and which is what VPP asks
// next: that is looked at right before a table is changed, or goes. It costs an empty table in
// VPP, and a packet that has no session one look into it. What is in a table of ours is ours,
// whoever put it there, and so is what looks into it from an interface that is ours or claimed.
// All other tables are foreign, those that the acl plugin has for sets of MACs among them.
//
// The kinds are safe for concurrent use. A reading costs a message for each table of VPP, one
// for all sessions of a table of ours, and one for each interface of ours.
package classify
