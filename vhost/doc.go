// SPDX-License-Identifier: Apache-2.0

// Package vhost manages VPP's vhost-user interfaces, the ports of virtual
// machines. They live in vppnet's key space of interfaces, so that bridge ports,
// link states and the like fit them as any other.
package vhost
