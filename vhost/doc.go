// SPDX-License-Identifier: Apache-2.0

// Package vhost manages VPP's vhost-user interfaces, the ports of virtual
// machines. They live in vppnet's key space of interfaces, so that bridge ports,
// link states and the like fit them as any other.
//
// A [Port] is ours by its tag, as all interfaces are (see package vppnet); its socket is in
// one of the directories that [Ports] was given, or it is refused, as VPP, which is root,
// removes what is at that path. [Guests] says of each port whether a VM is there.
//
// Safe for concurrent use. A reading costs one dump beside that of the interfaces; a port that is
// made costs one message; most changes make it anew, with what hangs on it.
package vhost
