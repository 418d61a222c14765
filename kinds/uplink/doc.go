// SPDX-License-Identifier: Apache-2.0

// Package uplink manages how VPP takes frames from the machine's own devices.
//
// A Queue says how one of a device's queues is read, and by which thread; a Promiscuous device
// takes frames that are for others. Neither has a name or an owner in VPP: they are what this
// program told VPP of an interface that is ours, or is claimed, as the machine's own usually are
// (vppnet.ClaimInterfaces). After a restart of the program VPP is told once more, which changes
// nothing. A reading costs one dump of all queues, if any is wanted, and nothing for Promiscuous. Safe
// for concurrent use.
//
// It does not attach devices (VPP's dev API, dev_attach): have startup.conf do that, and claim what is
// there then. Of the drivers that VPP has for it (iavf in 25.10; ige, iavf and atlantic in 26.06; ena
// and octeon by their plugins) none had a device where this was made, so no attachment could be tried;
// all that a VPP was seen to answer is that no driver is available (-8), that there is no such
// device (-12), or no such bus (-10).
package uplink
