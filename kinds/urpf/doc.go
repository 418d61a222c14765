// SPDX-License-Identifier: Apache-2.0

// Package urpf drops packets whose source address cannot be behind where they come from
// (unicast reverse path forwarding, RFC 3704). It needs VPP's plugin urpf. A Check is ours if
// its interface is, or is claimed. A reading costs one dump, and one round trip for all that
// is listed. Safe for concurrent use.
package urpf
