// SPDX-License-Identifier: Apache-2.0

// Package acl is about what may pass an interface: sets of rules (stateful, if
// asked), sets of source addresses against spoofing (MACIP), and what binds
// them to interfaces, by VPP's acl plugin.
//
// VPP looks at the sets of one direction of an interface in their order, and at
// the rules of a set in theirs. The first rule that fits decides. A packet that
// fits none is dropped, if there is a set at all. All this is about IPv4 and
// IPv6 only: other ethertypes, ARP among them, pass unless [EtherTypes] says
// otherwise.
//
// What permit+reflect let in ends when no rule permits it any more, whatever was changed, and
// goes on otherwise: see [Sets], and [Revocable] for what TCP needs beside that.
//
// Sets have a space of their own for names, so they are shared by any number of
// bindings, and changed in place under them.
//
// A [Set] and a [MACIPSet] are ours by their tags. A [Binding] puts sets of ours on any
// interface, whoever's it is: sets of others that are on it stay, in their order, after ours.
// A [MACIPBinding], of which an interface has one, and [EtherTypes] are ours if the interface
// is, or the set.
//
// Safe for concurrent use. A reading transfers all sets of the VPP with all rules, and the
// lists of all interfaces. A set that changes costs one message, however many interfaces have
// it; a binding two, as the list that it shares is read right before it is written.
package acl
