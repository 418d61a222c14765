// SPDX-License-Identifier: Apache-2.0

// Package uplink manages how VPP takes frames from the machine's own devices.
//
// A Queue says how one of a device's queues is read, and by which thread; a Promiscuous device
// takes frames that are for others. Neither has a name or an owner in VPP: they are what this
// program told VPP of an interface that is ours, or is claimed, as the machine's own usually are
// (vppnet.ClaimInterfaces). After a restart of the program VPP is told once more, which changes
// nothing. A reading costs one dump of all queues, if any is wanted, and nothing for Promiscuous. Safe
// for concurrent use.
package uplink
