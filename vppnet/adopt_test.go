// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"strings"
	"testing"

	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/span"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/af_packet"
	"go.fd.io/govpp/binapi/arp"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/nat44_ed"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What a create left that died before it could set the tag makes way for what is wanted,
// and goes if nobody wants it any more.
func TestLeftovers(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		before := o.list()
		leave := func() {
			o.loopback(c.MAC("lo"))
			o.loopback(c.MAC("seven"), 7)
			o.bvi(c.MAC("bvi"))
			_, err := af_packet.NewServiceClient(o).AfPacketCreateV3(t.Context(), &af_packet.AfPacketCreateV3{
				Mode: af_packet.AF_PACKET_API_MODE_ETHERNET, HostIfName: "vppkit0", HwAddr: ethernet_types.MacAddress(c.MAC("host")),
				NumRxQueues: 1, NumTxQueues: 1,
			})
			require.NoError(t, err)
		}
		leave()
		p, err := layer2(c).Plan(t.Context())
		require.NoError(t, err)
		require.Equal(t, 4, p.Count(desiredstate.Delete), p)
		converge(t, c)
		require.Equal(t, before, o.list(), "nobody wants them")

		leave()
		theirs := o.loopback(vppnet.MAC{2, 2, 2, 2, 2, 2})
		before = o.list()
		_, err = layer2(c).Ensure(t.Context(), // which removes nothing that is not in the way
			vppnet.Loopback{Name: "lo"},
			vppnet.Loopback{Name: "seven", Instance: 7},
			vppnet.Loopback{Name: "bvi", BVI: true},
			vppnet.HostInterface{Name: "host", Device: "vppkit0"},
		)
		require.NoError(t, err)
		list := o.list()
		for _, line := range []string{"loop7 [me/seven]", "[me/lo]", "[me/bvi]", "host-vppkit0 [me/host]"} {
			require.Contains(t, list, line)
		}
		require.Equal(t, strings.Count(before, "\n"), strings.Count(list, "\n"), list)
		converge(t, c)
		o.remove(theirs)
	}, "vppkit0")
}

// What cannot be marked is taken over by who wants the same again.
func TestWhatHasNoMarkIsAdopted(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		host := vppnet.HostInterface{Name: "host", Device: "vppkit0", MAC: vppnet.MAC{2, 3, 3, 3, 3, 3}}
		_, err := af_packet.NewServiceClient(o).AfPacketCreateV3(t.Context(), &af_packet.AfPacketCreateV3{
			Mode: af_packet.AF_PACKET_API_MODE_ETHERNET, HostIfName: "vppkit0", HwAddr: ethernet_types.MacAddress(host.MAC),
			NumRxQueues: 1, NumTxQueues: 1,
		})
		require.NoError(t, err)
		converge(t, c, host)
		require.Equal(t, 1, strings.Count(o.list(), "host-vppkit0 [me/host]"))
		converge(t, c)
	}, "vppkit0")
}

// What has our mark and is in use, in whatever way, is nobody's leftover.
func TestWhatIsInUseIsNoLeftover(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		o.Uses(&interfaces.SwInterfaceAddDelAddress{}, &interfaces.SwInterfaceSetTable{}, &interfaces.SwInterfaceSetUnnumbered{}, &ip.IPTableAddDelV2{},
			&acl.ACLAddReplace{}, &acl.ACLInterfaceSetACLList{}, &acl.ACLDel{}, &l2.SwInterfaceSetL2Xconnect{}, &interfaces.SwInterfaceSetMtu{}, &arp.ProxyArpIntfcEnableDisable{},
			&nat44_ed.Nat44EdPluginEnableDisable{}, &nat44_ed.Nat44EdAddDelOutputInterface{}, &span.SwInterfaceSpanEnableDisable{})
		aclAPI := acl.NewServiceClient(o)
		r, err := aclAPI.ACLAddReplace(t.Context(), &acl.ACLAddReplace{ACLIndex: ^uint32(0), Tag: "theirs"})
		require.NoError(t, err)
		address := func(i interface_types.InterfaceIndex, add bool) error {
			_, err := o.SwInterfaceAddDelAddress(t.Context(), &interfaces.SwInterfaceAddDelAddress{
				SwIfIndex: i, IsAdd: add, Prefix: ip_types.AddressWithPrefix{Address: ip_types.Address{Un: ip_types.AddressUnionIP4(ip_types.IP4Address{192, 0, 2, 1})}, Len: 24},
			})
			return err
		}
		nat := nat44_ed.NewServiceClient(o)
		_, err = nat.Nat44EdPluginEnableDisable(t.Context(), &nat44_ed.Nat44EdPluginEnableDisable{Enable: true})
		require.NoError(t, err)
		translate := func(i interface_types.InterfaceIndex, on bool) error {
			_, err := nat.Nat44EdAddDelOutputInterface(t.Context(), &nat44_ed.Nat44EdAddDelOutputInterface{SwIfIndex: i, IsAdd: on})
			return err
		}
		// Of interfaces beyond the last one that has a feature VPP does not know whether it is on.
		first := o.loopback(vppnet.MAC{2, 2, 2, 2, 2, 2})
		require.NoError(t, translate(first, true))
		uses := map[string]func(i interface_types.InterfaceIndex, on bool) error{
			"NAT": translate,
			"proxy ARP": func(i interface_types.InterfaceIndex, on bool) error {
				_, err := arp.NewServiceClient(o).ProxyArpIntfcEnableDisable(t.Context(), &arp.ProxyArpIntfcEnableDisable{SwIfIndex: i, Enable: on})
				return err
			},
			"up":      func(i interface_types.InterfaceIndex, on bool) error { o.up(i, on); return nil },
			"address": address,
			"bridge":  func(i interface_types.InterfaceIndex, on bool) error { o.bridge(i, 9, on); return nil },
			"table": func(i interface_types.InterfaceIndex, on bool) error {
				table := &ip.IPTableAddDelV2{IsAdd: true, CreateMfib: true, Table: ip.IPTable{TableID: 44}}
				if _, err := ip.NewServiceClient(o).IPTableAddDelV2(t.Context(), table); err != nil {
					return err
				}
				req := &interfaces.SwInterfaceSetTable{SwIfIndex: i}
				if on {
					req.VrfID = 44
				}
				_, err := o.SwInterfaceSetTable(t.Context(), req)
				return err
			},
			"ACL": func(i interface_types.InterfaceIndex, on bool) error {
				req := &acl.ACLInterfaceSetACLList{SwIfIndex: i}
				if on {
					req.Count, req.NInput, req.Acls = 1, 1, []uint32{r.ACLIndex}
				}
				_, err := aclAPI.ACLInterfaceSetACLList(t.Context(), req)
				return err
			},
			"cross-connect": func(i interface_types.InterfaceIndex, on bool) error {
				_, err := l2.NewServiceClient(o).SwInterfaceSetL2Xconnect(t.Context(), &l2.SwInterfaceSetL2Xconnect{RxSwIfIndex: i, TxSwIfIndex: i, Enable: on})
				return err
			},
			"MTU": func(i interface_types.InterfaceIndex, on bool) error {
				mtu := uint32(9000)
				if on {
					mtu = 1234
				}
				_, err := o.SwInterfaceSetMtu(t.Context(), &interfaces.SwInterfaceSetMtu{SwIfIndex: i, Mtu: []uint32{mtu, 0, 0, 0}})
				return err
			},
		}
		for use, set := range uses {
			i := o.loopback(c.MAC("lo"))
			require.NoError(t, set(i, true), use)
			before := o.list()
			converge(t, c)
			require.Equal(t, before, o.list(), use)
			require.NoError(t, set(i, false), use)
			converge(t, c)
			require.Equal(t, strings.Count(before, "\n")-1, strings.Count(o.list(), "\n"), "without %s it is a leftover:\n%s", use, o.list())
		}
		o.remove(first)
		_, err = nat.Nat44EdPluginEnableDisable(t.Context(), &nat44_ed.Nat44EdPluginEnableDisable{})
		require.NoError(t, err)
		_, err = aclAPI.ACLDel(t.Context(), &acl.ACLDel{ACLIndex: r.ACLIndex})
		require.NoError(t, err)
		_, err = l2.NewServiceClient(o).BridgeDomainAddDelV2(t.Context(), &l2.BridgeDomainAddDelV2{BdID: 9})
		require.NoError(t, err)
		_, err = ip.NewServiceClient(o).IPTableAddDelV2(t.Context(), &ip.IPTableAddDelV2{CreateMfib: true, Table: ip.IPTable{TableID: 44}})
		require.NoError(t, err)
	})
}

// What looks like a stray and is in use is somebody's, and stays so.
func TestOthersAreNotAdopted(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		lo := o.loopback(c.MAC("lo"), 1)
		o.up(lo, true)
		bridged := o.loopback(c.MAC("bridged"))
		o.bridge(bridged, 9, true)
		up := o.subInterface(lo, 100, 100, interface_types.SUB_IF_API_FLAG_EXACT_MATCH)
		o.up(up, true)
		o.subInterface(lo, 7, 101, interface_types.SUB_IF_API_FLAG_EXACT_MATCH) // numbered otherwise
		o.subInterface(lo, 102, 102, 0)                                         // inexact
		in := o.subInterface(lo, 103, 103, interface_types.SUB_IF_API_FLAG_EXACT_MATCH)
		o.bridge(in, 9, true)
		before := o.list()

		e := layer2(c)
		r, err := e.Ensure(t.Context(),
			vppnet.SubInterface{Name: "s100", Parent: "vpp:loop1", Outer: 100},
			vppnet.SubInterface{Name: "s101", Parent: "vpp:loop1", Outer: 101},
			vppnet.SubInterface{Name: "s102", Parent: "vpp:loop1", Outer: 102},
			vppnet.SubInterface{Name: "s103", Parent: "vpp:loop1", Outer: 103},
			vppnet.Loopback{Name: "one", Instance: 1},
		)
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		for _, x := range r {
			require.ErrorIs(t, x.Err, desiredstate.ErrForeign, x.Key)
		}
		require.Equal(t, before, o.list())

		// Nothing that only one could have stands in the way of these.
		r, err = e.Ensure(t.Context(), vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "bridged"})
		require.NoError(t, err)
		require.Equal(t, 2, r.Changed())
		require.Equal(t, strings.Count(before, "\n")+2, strings.Count(o.list(), "\n"))
		converge(t, c)
		require.Equal(t, before, o.list())

		o.bridge(bridged, 0, false)
		o.bridge(in, 0, false)
		_, err = l2.NewServiceClient(o).BridgeDomainAddDelV2(t.Context(), &l2.BridgeDomainAddDelV2{BdID: 9})
		require.NoError(t, err)
		o.remove(lo)
		o.remove(bridged)
	})
}

// What goes between the dump of interfaces and that of a kind is not there.
func TestTaggedLeavesOutWhatIsGone(t *testing.T) {
	vpp := vpptest.New(t)
	c := dialVPP(t, vpp.Socket())
	k := vppnet.Tagged(c, &desiredstate.Kind[vppnet.Loopback]{
		Name: "gone",
		Dump: func(context.Context, *desiredstate.View) ([]desiredstate.Actual[vppnet.Loopback], error) {
			return []desiredstate.Actual[vppnet.Loopback]{{ID: 0, Foreign: true, Spec: vppnet.Loopback{Name: "there"}}, {ID: 77, Spec: vppnet.Loopback{Name: "gone"}}}, nil
		},
		Delete: func(context.Context, *desiredstate.View, desiredstate.Actual[vppnet.Loopback]) error { return nil },
	}, vppnet.Orphan[vppnet.Loopback]{})
	e := desiredstate.New(k)
	_, err := e.Plan(t.Context())
	require.NoError(t, err)
	_, err = e.ID(vppnet.InterfaceKey("there"))
	require.NoError(t, err)
	_, err = e.ID(vppnet.InterfaceKey("gone"))
	require.ErrorIs(t, err, desiredstate.ErrMissing)
}
