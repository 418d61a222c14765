// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"net/netip"
)

// comparePrefixes orders by family, network, length, and then what lies behind the
// length. It is netip's own of Go 1.26, which a library must not demand yet.
func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(
		cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen()),
		a.Masked().Addr().Compare(b.Masked().Addr()),
		cmp.Compare(a.Bits(), b.Bits()),
		a.Addr().Compare(b.Addr()),
	)
}
