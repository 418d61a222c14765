// SPDX-License-Identifier: Apache-2.0

// Package nat has the kinds of VPP's NAT44: hosts that share addresses, floating IPs, mapped
// ports. [Plugin] turns it on, and the others say what it translates: [Interface] who is inside
// and who outside, [Address] what hosts share, [Mapping] what stands for one of them, [Identity]
// what is left as it is, [Exit] by which table a tenant's packets leave. All are of one
// [Variant]; tables are those of package l3.
package nat
