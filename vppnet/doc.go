// SPDX-License-Identifier: Apache-2.0

// Package vppnet connects to a VPP, and has the kinds that everything else attaches to:
// interfaces, their links, bridge domains, and wires of all sorts.
//
//	c, err := vppnet.Dial(ctx, "/run/vpp/api.sock", "node1")
//	report, err := vppnet.BridgeDomains(c).Ensure(ctx, vppnet.BridgeDomain{Name: "net1"})
//
// # Vocabulary
//
// A [Conn] is a connection to one VPP, for as long as that lives; [Follow] dials the next one.
// Every generated client of govpp works on it. A kind (desiredstate.Kind) is made by a function
// in the plural, [Loopbacks], and manages objects of a type in the singular, [Loopback]. All
// interfaces, whatever made them, share one space of names, so a [BridgePort] or a [LinkState]
// fits each; [Interfaces] lists them all. In specs there are names, and never VPP's numbers,
// which it gives to the next object at once; a Report has them.
//
// # Whose it is
//
// A Conn has an owner, and what it makes is tagged "owner/name" in VPP, which is all that is
// kept. So what is ours is known after any crash. What hangs on something ours is ours, too.
// Another owner's thing is called "node2/vm1", nobody's by VPP's name, "vpp:loop0": these can
// be referred to, and are never changed, unless a kind is given a [Claim] to them, or they are
// adopted (desiredstate.Engine.Adopt).
//
// # Concurrency
//
// A Conn and all kinds are safe for concurrent use. VPP answers one message after the other, in
// order; so do not wait for one answer before you send the next request, call from as many
// goroutines as you like. All kinds and engines of one Conn share what is known of its VPP
// ([Conn.Target]). A call ends when its ctx does, when VPP answers or has lost it, and when the
// Conn dies: [Error] says whether VPP may have executed it.
//
// # Cost
//
// The first call of a kind or an engine reads: a dump of each of its kinds and of those that
// they require, which is little, but for [FIBEntries] (the L2 FIB, learnt addresses too).
// After that each object costs its own messages, whatever there is: one to make it, mostly one
// for its tag, and, before what is there is changed or removed, a look at whether it still is
// what it was, in the same round trip. What is as wanted costs nothing.
package vppnet
