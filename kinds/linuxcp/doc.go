// SPDX-License-Identifier: Apache-2.0

// Package linuxcp gives VPP's interfaces a twin in Linux, so that routing daemons and other
// programs see them, and what they send and get goes by VPP (VPP's plugin linux_cp, which
// startup.conf has to enable).
//
// A [Pair] makes the twin, [Namespace] says in which network namespace twins are made that name none.
// A Pair is ours if its interface is, or is claimed; the Namespace is whose engine has the
// kind, and write-only. What it can be told besides and not to forget again (ethertypes), or only by its
// CLI (lcp-sync, lcp-auto-subint), is not here. Who turns lcp-auto-subint on gets pairs that
// nobody wanted, which are ours like any other, and go.
// With lcp-sync, VPP says of a sub-interface with a Pair the MTU of its parent, where it has none or a larger one: want
// none of it, or none above the parent's, and a vppnet.LinkState for as long as it has the Pair.
//
// A twin is a TAP, so it needs a Linux with /dev/vhost-net. Without, VPP answers SYSCALL_ERROR_1, and
// nothing is left. The kind was never tried on a real VPP that has it: of what makes no pair there
// are recordings, else it is measured by VPP's source.
//
// A reading costs one dump. Safe for concurrent use.
package linuxcp
