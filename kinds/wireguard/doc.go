// SPDX-License-Identifier: Apache-2.0

// Package wireguard manages WireGuard interfaces and their peers. It needs VPP's plugin wireguard.
//
// An Interface is a tunnel of packets to any number of peers, of which each is known by its
// public key and says which addresses are behind it; routes lead to them by the interface. An
// Interface is ours by its tag, a Peer if its interface is, or is claimed.
//
// A private key is a [vppnet.Secret]: no log, plan or JSON shows it, and VPP is never asked for
// it, as the public key, which it shows, tells whether it is the same. A preshared key VPP 25.10
// does not take; what 26.06 has for it is not settled, and not used here.
//
// The kinds are safe for concurrent use. A reading costs two dumps.
package wireguard
