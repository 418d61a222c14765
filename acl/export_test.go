// SPDX-License-Identifier: Apache-2.0

package acl

// What a set is to VPP, for benchmarks that send it by hand.
var (
	EncodeSet      = encodeSet
	EncodeMACIPSet = encodeMACIPSet
)
