// SPDX-License-Identifier: Apache-2.0

package nat64_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/nat64"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What an interface left behind is put into effect where it is wanted, and goes where it is not;
// the pool is not touched as long as VPP would die of that.
func TestLeftBehind(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		lo, out := vppnet.Loopback{Name: "lo"}, nat64.Interface{Interface: "lo"}
		first, second := nat64.Address{Address: addr("198.51.100.1")}, nat64.Address{Address: addr("198.51.100.2")}
		with, without := kindrig.Engine(kinds(c, ours, ours6)...), kindrig.Engine(vppnet.Loopbacks(kindrig.Dial(t, vpp.Socket(), "me")))
		_, err := with.Ensure(t.Context(), first, lo, out)
		require.NoError(t, err)
		for range 2 { // it goes by a program that knows nothing of NAT64, and comes back
			_, err = without.Remove(t.Context(), lo.Key())
			require.NoError(t, err)
			_, err = with.Ensure(t.Context(), second)
			require.ErrorIs(t, err, desiredstate.ErrConflict)
			_, err = with.Remove(t.Context(), first.Key())
			require.ErrorContains(t, err, "make interfaces until")
			_, err = without.Ensure(t.Context(), lo)
			require.NoError(t, err)
			with.Forget()
			p, err := with.Plan(t.Context(), lo, out)
			require.NoError(t, err)
			require.Contains(t, p.String(), "no effect")
			_, err = with.Apply(t.Context(), p)
			require.NoError(t, err)
			kindrig.Steady(t, with, lo, out, first)
		}
		_, err = with.Ensure(t.Context(), second)
		require.NoError(t, err)
		_, err = with.Sync(t.Context(), lo)
		require.NoError(t, err)
		left, err := vppnet.Ask(t.Context(), c, &binding.Nat64InterfaceDump{})
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

// Somebody puts ours on the other side too, or turns NAT64 off.
func TestMeddled(t *testing.T) {
	vpp := vpptest.New(t)
	c := kindrig.Dial(t, vpp.Socket(), "me")
	c.Uses(&binding.Nat64PluginEnableDisable{}, &binding.Nat64AddDelInterface{})
	all := kinds(c, ours, ours6)
	e := kindrig.Engine(all...)
	mapping := nat64.Mapping{Local: addr("fd00::1"), External: addr("198.51.100.9"), Protocol: nat64.UDP, LocalPort: 53, ExternalPort: 53}
	want := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, nat64.Interface{Interface: "lo", Inside: true}, mapping}
	r, err := e.Sync(t.Context(), want...)
	require.NoError(t, err)
	require.NotEmpty(t, r)
	by := binding.NewServiceClient(c)
	_, err = by.Nat64AddDelInterface(t.Context(), &binding.Nat64AddDelInterface{IsAdd: true, SwIfIndex: 1})
	require.NoError(t, err)
	e.Forget()
	p, err := e.Plan(t.Context(), want...)
	require.NoError(t, err)
	require.Contains(t, p.String(), "both sides")
	_, err = e.Apply(t.Context(), p)
	require.NoError(t, err)
	kindrig.Steady(t, e, want...)

	_, err = e.Remove(t.Context(), nat64.InterfaceKey("lo"))
	require.NoError(t, err)
	_, err = by.Nat64PluginEnableDisable(t.Context(), &binding.Nat64PluginEnableDisable{})
	require.NoError(t, err)
	_, err = e.Remove(t.Context(), mapping.Key()) // of which VPP would die
	require.NoError(t, err)
}

// VPP would count an address' ports wrong.
func TestPorts(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		e := kindrig.Engine(kinds(kindrig.Dial(t, vpp.Socket(), "me"), ours, ours6)...)
		address := nat64.Address{Address: addr("198.51.100.9")}
		own := nat64.Mapping{Local: addr("fd00::1"), External: address.Address, Protocol: nat64.TCP, LocalPort: 80, ExternalPort: 2000}
		pooled := own
		pooled.Pooled = true
		_, err := e.Ensure(t.Context(), own)
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), address)
		require.ErrorContains(t, err, "shares nat64-pool/198.51.100.9")
		for range 2 { // what is there goes before what takes its place comes
			_, err = e.Sync(t.Context(), address, pooled)
			require.NoError(t, err)
			kindrig.Steady(t, e, address, pooled)
			_, err = e.Ensure(t.Context(), own)
			require.ErrorContains(t, err, "holds nat64-pool/198.51.100.9")
			kindrig.Steady(t, e, address, pooled)
			_, err = e.Sync(t.Context(), own)
			require.NoError(t, err)
			kindrig.Steady(t, e, own)
		}
		_, err = e.Sync(t.Context())
		require.NoError(t, err)

		// Both new, in one plan: one of the two comes.
		r, err := e.Sync(t.Context(), address, own)
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.Equal(t, 1, r.Changed())
		kindrig.Steady(t, e, address)
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
		require.NotContains(t, state(), "198.51.100.9")
	})
}

// Nothing is sent that VPP would do to others, or to itself.
func TestRefused(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface("nic"))
	strangers(t, vpp.Socket())
	before := vpp.String()
	e := kindrig.Engine(kinds(kindrig.Dial(t, vpp.Socket(), "me"), netip.MustParsePrefix("203.0.0.0/8"), ours6)...)
	mapping := func(local, external string, port uint16) nat64.Mapping {
		return nat64.Mapping{Local: addr(local), External: addr(external), Protocol: nat64.TCP, LocalPort: 80, ExternalPort: port}
	}
	pooled := mapping("fd00::1", "203.0.113.5", 80)
	pooled.Pooled = true
	for why, o := range map[string]desiredstate.Object{
		"203.0.113.10 tcp 80":                mapping("fd00::1", "203.0.113.10", 80),
		"local address 10.0.0.1 is not":      mapping("10.0.0.1", "203.0.113.5", 80),
		"external address fd00::1 is not":    mapping("fd00::1", "fd00::1", 80),
		"tcp without a port":                 mapping("fd00::1", "203.0.113.5", 0),
		"want 1025 to 65534":                 pooled,
		"no protocol":                        nat64.Mapping{Local: addr("fd00::1"), External: addr("203.0.113.5")},
		"in none of the claimed":             nat64.Address{Address: addr("198.51.100.1")},
		"want one of [32":                    nat64.Prefix{Prefix: netip.MustParsePrefix("2001:db8:64::/49")},
		"write 2001:db8:64::/48":             nat64.Prefix{Prefix: netip.MustParsePrefix("2001:db8:64::1/48")},
		"prefix 2001:db8:65::/48 is not for": nat64.Prefix{Prefix: netip.MustParsePrefix("2001:db8:65::/48")},
		"whole seconds":                      nat64.Timeouts{UDP: 1},
		"leave them out":                     nat64.Timeouts{},
		"vpp:nic":                            nat64.Interface{Interface: vppnet.Foreign("nic")},
	} {
		_, err := e.Ensure(t.Context(), o)
		require.ErrorContains(t, err, why)
	}
	require.Equal(t, before, vpp.String())
}

// VPP ends itself when it has no room for the ports of an address.
func TestTooManyAddresses(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		k := nat64.Addresses(kindrig.Dial(t, vpp.Socket(), "me"), ours)
		all := nat64.Range(ours.Addr(), addr("198.51.100.127"))[1:]
		_, err := k.Ensure(t.Context(), all...)
		require.NoError(t, err)
		_, err = k.Ensure(t.Context(), nat64.Address{Address: addr("198.51.100.200")})
		require.NoError(t, err)
		_, err = k.Ensure(t.Context(), nat64.Address{Address: addr("198.51.100.201")})
		require.ErrorContains(t, err, "want at most 128")
	})
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) { // all at once
		c := kindrig.Dial(t, vpp.Socket(), "me")
		_, err := nat64.Addresses(c, ours).Ensure(t.Context(), nat64.Range(ours.Addr(), addr("198.51.100.200"))[1:]...)
		require.ErrorContains(t, err, "want at most 128")
		there, err := vppnet.Ask(t.Context(), c, &binding.Nat64PoolAddrDump{})
		require.NoError(t, err)
		require.Len(t, there, nat64.MaxAddresses)
	})
}

// A hash table that VPP's heap has no room for would end VPP with the first mapping.
func TestTooManyBuckets(t *testing.T) {
	for name, sizes := range map[string]nat64.Sizes{"mappings": {Mappings: nat64.MaxBuckets + 1}, "sessions": {Sessions: 1 << 30}} {
		t.Run(name, func(t *testing.T) {
			vpp := vpptest.New(t)
			c := kindrig.Dial(t, vpp.Socket(), "me")
			e := kindrig.Engine(vppnet.Loopbacks(c), nat64.Interfaces(c, sizes), nat64.Mappings(c, sizes, ours))
			mapping := nat64.Mapping{Local: addr("fd00::1"), External: addr("198.51.100.9"), Protocol: nat64.UDP, LocalPort: 53, ExternalPort: 53}
			for _, want := range [][]desiredstate.Object{{mapping}, {vppnet.Loopback{Name: "lo"}, nat64.Interface{Interface: "lo"}}} {
				_, err := e.Ensure(t.Context(), want...)
				require.ErrorIs(t, err, desiredstate.ErrInvalid)
				require.ErrorContains(t, err, "buckets")
			}
			require.NotContains(t, vpp.String(), "NAT64")
		})
	}
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		most := nat64.Sizes{Mappings: nat64.MaxBuckets, Sessions: nat64.MaxBuckets}
		mapping := nat64.Mapping{Local: addr("fd00::1"), External: addr("198.51.100.9"), Protocol: nat64.UDP, LocalPort: 53, ExternalPort: 53}
		kindrig.Steady(t, kindrig.Engine(nat64.Mappings(c, most, ours)), mapping)
	})
}
