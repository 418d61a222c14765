// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"net/netip"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
)

// The link-local address that hostMAC makes.
var hostLocal = netip.MustParseAddr("fe80::ff:fe00:1")

// port is what a PortSecurity makes, by kind.
type port struct {
	sets    []acl.Set
	sources acl.MACIPSet
	bind    acl.Binding
	macip   acl.MACIPBinding
	types   acl.EtherTypes
}

func secure(t require.TestingT, p acl.PortSecurity) (out port) {
	objects, err := p.Objects()
	require.NoError(t, err)
	for _, o := range objects {
		require.NoError(t, o.Validate())
		switch o := o.(type) {
		case acl.Set:
			out.sets = append(out.sets, o)
		case acl.MACIPSet:
			out.sources = o
		case acl.Binding:
			out.bind = o
		case acl.MACIPBinding:
			out.macip = o
		case acl.EtherTypes:
			out.types = o
		default:
			require.Fail(t, "unknown object", "%T", o)
		}
	}
	return out
}

// passes asks the sets, found by name, that a port binds to a direction.
func (p port) passes(t require.TestingT, names []string, packet acl.Packet, groups ...acl.Set) bool {
	var sets []acl.Set
	for _, name := range names {
		i := slices.IndexFunc(slices.Concat(p.sets, groups), func(s acl.Set) bool { return s.Name == name })
		require.GreaterOrEqual(t, i, 0, "%s is nobody's", name)
		sets = append(sets, slices.Concat(p.sets, groups)[i])
	}
	v, err := acl.Explain(packet, sets...)
	require.NoError(t, err)
	return v.Passes()
}

func (p port) source(t require.TestingT, f acl.Frame) bool {
	v, err := acl.ExplainMACIP(f, p.sources)
	require.NoError(t, err)
	return v.Passes()
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }
