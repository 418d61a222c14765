// SPDX-License-Identifier: Apache-2.0

// Package qos manages what limits and marks traffic.
//
// A Policer measures traffic against one rate or two, and says what becomes of packets that
// conform, exceed and violate; an Attachment has one measure what an interface receives or
// sends. A Record notes the mark that packets come with (the DSCP, the priority of a VLAN
// tag, the class of an MPLS label), a Store notes one of its own instead, and a Mark writes
// into packets that leave what an EgressMap makes of the note.
//
// A policer is ours by its name in VPP, "owner/name"; an EgressMap, which VPP knows by a
// number only, if its number is claimed. All else is ours if its interface is, or is
// claimed. An Attachment's policer is not visible in VPP; see [Attachments].
//
// The kinds are safe for concurrent use. A reading costs one dump of each sort; that of
// policers two round trips, that of attachments a few messages for each interface of ours.
package qos
