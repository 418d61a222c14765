// SPDX-License-Identifier: Apache-2.0

// Package vppstat reads VPP's counters by the names that our objects have.
//
// VPP counts by indexes, which it gives to the next object at once. A [Reader] asks which
// object has which, reads VPP's statistics segment, and asks again: a [Snapshot] has only
// what had one name and one index all the while. [Snapshot.Since] is what was counted between
// two of them: of an object that was made anew meanwhile, whatever its index is, of a VPP that
// was restarted, and of counters that were cleared, all that was counted since.
//
// It needs no engine of its own: any engine whose kinds have the names will do. The segment is
// read by govpp's statsclient, which the caller brings; see [Stats].
//
// What is ours has our names, what is others' theirs, "node2/vm1" or "vpp:loop0": all is counted.
// A Reader is safe for concurrent use; a reading costs two readings of each sort of object that it
// is asked for, and one of the segment.
package vppstat
