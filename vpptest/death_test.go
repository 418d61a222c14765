// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/arping"
	"go.fd.io/govpp/binapi/fib_types"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lldp"
	"go.fd.io/govpp/binapi/vrrp"
	"go.fd.io/govpp/binapi/vxlan"
	"go.fd.io/govpp/binapi/wireguard"
)

// reporting is an option that keeps what is reported.
func reporting(to *[]string) Option {
	return WithReport(func(text string) { *to = append(*to, text) })
}

// VPP dies of a message: nobody gets an answer, the test learns of what, and what was
// there can still be seen. Restart makes all anew.
func TestDeath(t *testing.T) {
	var reports []string
	vpp := New(t, reporting(&reports))
	w, other := client(t, vpp.Socket()), client(t, vpp.Socket())
	_, _, err := w.ask(&interfaces_api.CreateLoopback{})
	require.NoError(t, err)
	require.Empty(t, vpp.Died())

	answers, _, err := w.ask(&arping.Arping{IsGarp: true, Repeat: 1})
	require.Error(t, err)
	require.Empty(t, answers)
	_, _, err = other.ask(&interfaces_api.SwInterfaceDump{})
	require.Error(t, err, "its connection too")
	_, err = dial(vpp.Socket())
	require.Error(t, err)
	const of = "arping spoke on an interface without a MAC"
	require.Equal(t, of, vpp.Died())
	vpp.Do(func() {}) // until it is reported
	require.Equal(t, []string{"vpptest: VPP died: " + of}, reports)
	require.Contains(t, vpp.String(), "died: "+of+"\n")
	require.Contains(t, vpp.String(), "loop0")

	require.NoError(t, vpp.Restart())
	require.Empty(t, vpp.Died())
	require.NotContains(t, vpp.String(), "loop0")
	_, _, err = client(t, vpp.Socket()).ask()
	require.NoError(t, err)
	vpp.Kill()
	require.Empty(t, vpp.Died(), "it was killed")
}

// witness is a test that takes note of its failure.
type witness struct {
	testing.TB
	failed []any
}

func (w *witness) Error(args ...any) { w.failed = append(w.failed, args...) }

// A death that nobody expects fails the test.
func TestDeathFailsTheTest(t *testing.T) {
	w := &witness{TB: t}
	vpp := New(w)
	_, _, err := client(t, vpp.Socket()).ask(&arping.Arping{IsGarp: true, Repeat: 1})
	require.Error(t, err)
	require.NoError(t, vpp.Close()) // waits for all that runs
	require.Equal(t, []any{"vpptest: VPP died: arping spoke on an interface without a MAC"}, w.failed)
}

// A message of one's own can be one that VPP dies of, or one that is not imitated.
func TestDeathByPlugin(t *testing.T) {
	var reports []string
	vpp := New(t, reporting(&reports))
	Handle(vpp, func(c *Call, q *lldp.LldpConfig) *lldp.LldpConfigReply {
		if q.TxHold == 0 {
			c.Die("was asked to hold nothing")
			return new(lldp.LldpConfigReply)
		}
		return &lldp.LldpConfigReply{Retval: c.NotImitated("a hold of more than nothing")}
	})
	w := client(t, vpp.Socket())
	answers, _, err := w.ask(&lldp.LldpConfig{TxHold: 1})
	require.NoError(t, err)
	require.Equal(t, []api.Message{&lldp.LldpConfigReply{Retval: -9}}, answers)
	_, _, err = w.ask(&lldp.LldpConfig{})
	require.Error(t, err)
	vpp.Do(func() {}) // until it is reported
	require.Equal(t, []string{
		"vpptest: not imitated: lldp_config, a hold of more than nothing",
		"vpptest: VPP died: lldp_config was asked to hold nothing",
	}, reports)
}

// What is not imitated is refused, loudly: nobody builds on it unaware.
func TestNotImitated(t *testing.T) {
	route := func(p fib_types.FibPath) api.Message {
		r := ip.IPRouteV2{Paths: []fib_types.FibPath{p}}
		r.Prefix.Len = 24
		return &ip.IPRouteAddDelV2{IsAdd: true, Route: r}
	}
	for name, m := range map[string]api.Message{
		"labels":     route(fib_types.FibPath{SwIfIndex: none, NLabels: 1}),
		"RPF id":     route(fib_types.FibPath{SwIfIndex: none, RpfID: 5}),
		"type":       route(fib_types.FibPath{Type: fib_types.FIB_API_PATH_TYPE_DVR}),
		"protocol":   route(fib_types.FibPath{Proto: fib_types.FIB_API_PATH_NH_PROTO_MPLS}),
		"in its mem": &vrrp.VrrpVrTrackIfAddDel{SwIfIndex: 1, VrID: 1, Ifs: []vrrp.VrrpVrTrackIf{{SwIfIndex: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			var reports []string
			vpp := New(t, reporting(&reports))
			w := client(t, vpp.Socket())
			_, _, err := w.ask(
				&interfaces_api.CreateLoopback{},
				&vrrp.VrrpVrAddDel{IsAdd: 1, SwIfIndex: 1, VrID: 1, Priority: 1, Interval: 1, Addrs: wireAddrs([]netip.Addr{netip.MustParseAddr("10.0.0.1")})},
				m)
			require.NoError(t, err)
			vpp.Do(func() {}) // until it is reported
			require.Len(t, reports, 1)
			require.Contains(t, reports[0], "not imitated: "+m.GetMessageName())
			require.Contains(t, reports[0], name)
		})
	}
}

// VPP finds the table of number 4294967295 when it has ended, too.
func TestNotImitatedForWhatHasEnded(t *testing.T) {
	for name, table := range map[string]*ip.IPTableAddDelV2{
		"IPv4": {Table: ip.IPTable{TableID: none}}, "IPv6": {Table: ip.IPTable{TableID: none, IsIP6: true}},
	} {
		t.Run(name, func(t *testing.T) {
			var reports []string
			vpp := New(t, reporting(&reports))
			w := client(t, vpp.Socket())
			made := *table
			made.IsAdd = true
			overlay := &lisp.LispEidTableAddDelMap{IsAdd: true, Vni: 1, DpTable: none}
			_, _, err := w.ask(&made, table, &lisp.LispEnableDisable{IsEnable: true}, overlay)
			require.NoError(t, err)
			vpp.Do(func() {})
			require.Equal(t, []string{"vpptest: not imitated: lisp_eid_table_add_del_map, table 4294967295, which VPP finds by its number when it has ended"}, reports)
		})
	}
}

// What stands where no table for multicast of IPv6 ever was, nobody knows; VPP may not die of it.
func TestNotImitatedForWhatNeverWas(t *testing.T) {
	var reports []string
	vpp := New(t, reporting(&reports))
	w := client(t, vpp.Socket())
	_, _, err := w.ask(&ip.IPTableAddDelV2{IsAdd: true, Table: ip.IPTable{TableID: 7, IsIP6: true}}, &vxlan.VxlanAddDelTunnelV3{
		IsAdd: true, EncapVrfID: 7, SrcAddress: wireAddr(netip.MustParseAddr("2001:db8::2")), DstAddress: wireAddr(netip.MustParseAddr("ff02::1")),
	})
	require.NoError(t, err)
	vpp.Do(func() {}) // until it is reported
	require.Equal(t, []string{"vpptest: not imitated: VPP, puts a route into a table for multicast that never was"}, reports)
}

// Which learnt neighbours an address takes along that is removed with a length beyond 128 stands in
// memory that is none of its masks.
func TestNotImitatedForALengthThatIsNone(t *testing.T) {
	var reports []string
	vpp := New(t, reporting(&reports))
	w := client(t, vpp.Socket())
	p, err := ip_types.ParseAddressWithPrefix("2001:db8::1/128")
	require.NoError(t, err)
	long := p
	long.Len = 129
	neighbour := ip_neighbor.IPNeighbor{SwIfIndex: 1, MacAddress: macs[1], IPAddress: wireAddr(netip.MustParseAddr("2001:db8::2"))}
	ask := func(ms ...api.Message) {
		_, _, err := w.ask(ms...)
		require.NoError(t, err)
		vpp.Do(func() {}) // until it is reported
	}
	set := func(add bool, p ip_types.AddressWithPrefix) api.Message {
		return &interfaces_api.SwInterfaceAddDelAddress{SwIfIndex: 1, IsAdd: add, Prefix: p}
	}
	ask(&interfaces_api.CreateLoopback{}, set(true, p), set(false, long))
	require.Empty(t, reports, "there are none")
	ask(&ip_neighbor.IPNeighborAddDel{IsAdd: true, Neighbor: neighbour}, set(true, p), set(false, long))
	require.Equal(t, []string{"vpptest: not imitated: VPP, the end of an address with a length beyond 128, where neighbours are learnt"}, reports)
}

// A table of IPv6 that has ended is still told of the hosts on the link of another table's interface.
func TestNotImitatedForATableThatIsToldOfHosts(t *testing.T) {
	var reports []string
	vpp := New(t, reporting(&reports))
	w := client(t, vpp.Socket())
	p, err := ip_types.ParseAddressWithPrefix("2001:db8::1/64")
	require.NoError(t, err)
	net := ip_types.Prefix{Address: p.Address, Len: 64}
	way := []fib_types.FibPath{{SwIfIndex: 1, Weight: 1, Proto: fib_types.FIB_API_PATH_NH_PROTO_IP6}}
	_, _, err = w.ask(&interfaces_api.CreateLoopback{}, &interfaces_api.SwInterfaceAddDelAddress{SwIfIndex: 1, IsAdd: true, Prefix: p},
		&interfaces_api.SwInterfaceSetFlags{SwIfIndex: 1, Flags: interface_types.IF_STATUS_API_FLAG_ADMIN_UP},
		&ip.IPTableAddDelV2{IsAdd: true, Table: ip.IPTable{TableID: 7, IsIP6: true}},
		&ip.IPRouteAddDelV2{IsAdd: true, Route: ip.IPRouteV2{TableID: 7, Prefix: net, Paths: way}},
		&ip.IPTableAddDelV2{Table: ip.IPTable{TableID: 7, IsIP6: true}})
	require.NoError(t, err)
	vpp.Do(func() {}) // until it is reported
	require.Len(t, reports, 1)
	require.Contains(t, reports[0], "not imitated: VPP, the end of an IPv6 table with a route to the link")
}

// VPP finds a WireGuard interface that has gone by its index still, on what has that index and lies on another.
func TestNotImitatedForAPlaceThatIsAnothers(t *testing.T) {
	var reports []string
	vpp := New(t, reporting(&reports))
	w := client(t, vpp.Socket())
	tunnel := func(n byte) api.Message {
		key := make([]byte, 32)
		key[0] = n
		return &wireguard.WireguardInterfaceCreate{Interface: wireguard.WireguardInterface{UserInstance: uint32(n), PrivateKey: key, Port: uint16(n), SrcIP: wireAddr(netip.MustParseAddr("10.0.0.1"))}}
	}
	_, _, err := w.ask(tunnel(1), tunnel(2), &wireguard.WireguardInterfaceDelete{SwIfIndex: 1}, &interfaces_api.CreateVlanSubif{SwIfIndex: 2, VlanID: 5})
	require.NoError(t, err)
	require.Equal(t, uint32(2), vpp.life.interfaces.at(1).hw.index, "the sub-interface has the index")
	_, _, err = w.ask(&wireguard.WireguardInterfaceDelete{SwIfIndex: 1})
	require.NoError(t, err)
	vpp.Do(func() {}) // until it is reported
	require.Len(t, reports, 1)
	require.Contains(t, reports[0], "not imitated: wireguard_interface_delete, the end of a sub-interface that has the index")
}

// VPP never comes back from a list of addresses that goes round. It cannot be recorded:
// there is no end to wait for.
func TestDeathOfAnAddress(t *testing.T) {
	vpp := New(t, reporting(new([]string)))
	w := client(t, vpp.Socket())
	address := func(index interface_types.InterfaceIndex, add bool, prefix string) api.Message {
		p, err := ip_types.ParseAddressWithPrefix(prefix)
		require.NoError(t, err)
		return &interfaces_api.SwInterfaceAddDelAddress{SwIfIndex: index, IsAdd: add, Prefix: p}
	}
	_, _, err := w.ask(&interfaces_api.CreateLoopback{}, &interfaces_api.CreateLoopback{}, address(1, true, "10.1.0.1/16"),
		&interfaces_api.SwInterfaceSetUnnumbered{SwIfIndex: 1, UnnumberedSwIfIndex: 2, IsAdd: true}, address(1, false, "10.1.0.1/16"))
	require.NoError(t, err)
	_, _, err = w.ask(address(2, true, "10.0.0.1/24"))
	require.Error(t, err)
	require.Contains(t, vpp.Died(), "goes round")
}

// What VPP would list of a table and this one would not, as its hosts are in the way of other
// routes, it does not list.
func TestImportedHostsInTheWayAreNotImitated(t *testing.T) {
	var reports []string
	vpp := New(t, reporting(&reports))
	w := client(t, vpp.Socket())
	p, err := ip_types.ParseAddressWithPrefix("10.0.0.1/24")
	require.NoError(t, err)
	link := ip.IPRouteV2{TableID: 7, Prefix: ip_types.Prefix(p), Paths: []fib_types.FibPath{{SwIfIndex: 1}}}
	ask := func(ms ...api.Message) {
		_, _, err := w.ask(ms...)
		require.NoError(t, err)
		vpp.Do(func() {}) // until it is reported
	}
	dump := &ip.IPRouteV2Dump{Table: ip.IPTable{TableID: 7}}
	ask(&interfaces_api.CreateLoopback{}, &interfaces_api.SwInterfaceSetFlags{SwIfIndex: 1, Flags: interface_types.IF_STATUS_API_FLAG_ADMIN_UP},
		&ip.IPTableAddDelV2{IsAdd: true, Table: ip.IPTable{TableID: 7}},
		&ip.IPRouteAddDelV2{IsAdd: true, Route: link}, dump)
	require.Empty(t, reports, "there are none")
	ask(&interfaces_api.SwInterfaceAddDelAddress{SwIfIndex: 1, IsAdd: true, Prefix: p}, &ip.IPRouteV2Dump{})
	require.Empty(t, reports, "in its own table")
	ask(dump)
	require.Empty(t, reports, "the interface's address")
	host := link
	host.Src, host.Prefix.Len = srcDefault, 32
	ask(&ip.IPRouteAddDelV2{IsAdd: true, Route: host}, dump, &ip.IPRouteLookupV2{TableID: 7, Prefix: ip_types.Prefix(p)})
	require.Len(t, reports, 2)
	require.Contains(t, reports[0], "not imitated: ip_route_v2_dump, "+importedHosts)
}
