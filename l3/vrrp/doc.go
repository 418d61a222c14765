// SPDX-License-Identifier: Apache-2.0

// Package vrrp has the kind of virtual routers, which several VPPs make together, and tells who
// is master. Interfaces, their addresses and tables are those of package l3.
//
// A [Router] is ours if its interface is, or is claimed. Safe for concurrent use. A reading
// costs one dump, two more for each router, its peers and what it tracks, and from VPP 25.06 on
// two questions for each that takes part. Peers and what is tracked change in place, all else
// makes it anew, and a master hands over first.
package vrrp
