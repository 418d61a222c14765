// SPDX-License-Identifier: Apache-2.0

// Package vrrp has the kind of virtual routers, which several VPPs make together, and tells who
// is master. Interfaces, their addresses and tables are those of package l3.
package vrrp
