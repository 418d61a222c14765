// SPDX-License-Identifier: Apache-2.0

// Package nat has the kinds of VPP's NAT44: hosts that share addresses, floating IPs, mapped
// ports. [Plugin] turns it on, and the others say what it translates: [Interface] who is inside
// and who outside, [Address] what hosts share, [Mapping] what stands for one of them, [Identity]
// what is left as it is, [Exit] by which table a tenant's packets leave. All are of one
// [Variant]; tables are those of package l3.
//
// VPP's NAT knows no owners. A [Mapping] and an [Identity] are ours by their tags; what is
// about an interface or a table of ours is ours; an [Address] that is for any table, if it is
// claimed. Who is given [Plugins] owns NAT itself, which is left on as long as others have
// something in it.
//
// The kinds are safe for concurrent use. A reading costs a dump of each sort. Most changes replace,
// and end sessions: a plan says so.
package nat
