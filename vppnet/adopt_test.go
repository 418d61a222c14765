// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/span"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
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

// other does to VPP what neither our kinds nor our tag have a part in.
type other struct {
	interfaces.RPCService
	t *testing.T
	*vppnet.Conn
}

func somebody(t *testing.T, socket string) other {
	c, err := vppnet.Dial(t.Context(), socket, "other")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	c.Uses(&interfaces.CreateLoopbackInstance{}, &interfaces.CreateSubif{}, &interfaces.SwInterfaceSetFlags{}, &interfaces.SwInterfaceTagAddDel{},
		&interfaces.DeleteLoopback{}, &interfaces.DeleteSubif{}, &interfaces.SwInterfaceDump{},
		&l2.BviCreate{}, &l2.BviDelete{}, &l2.SwInterfaceSetL2Bridge{}, &l2.BridgeDomainAddDelV2{}, &l2.L2InterfaceVlanTagRewrite{},
		&af_packet.AfPacketCreateV3{}, &af_packet.AfPacketDelete{})
	return other{interfaces.NewServiceClient(c), t, c}
}

func (o other) loopback(mac vppnet.MAC, instance ...uint32) interface_types.InterfaceIndex {
	req := &interfaces.CreateLoopbackInstance{MacAddress: ethernet_types.MacAddress(mac)}
	if len(instance) > 0 {
		req.IsSpecified, req.UserInstance = true, instance[0]
	}
	r, err := o.CreateLoopbackInstance(o.t.Context(), req)
	require.NoError(o.t, err)
	return r.SwIfIndex
}

func (o other) bvi(mac vppnet.MAC) interface_types.InterfaceIndex {
	r, err := l2.NewServiceClient(o).BviCreate(o.t.Context(), &l2.BviCreate{Mac: ethernet_types.MacAddress(mac), UserInstance: ^uint32(0)})
	require.NoError(o.t, err)
	return r.SwIfIndex
}

func (o other) subInterface(parent interface_types.InterfaceIndex, id uint32, outer uint16, more interface_types.SubIfFlags) interface_types.InterfaceIndex {
	r, err := o.CreateSubif(o.t.Context(), &interfaces.CreateSubif{
		SwIfIndex: parent, SubID: id, OuterVlanID: outer, SubIfFlags: interface_types.SUB_IF_API_FLAG_ONE_TAG | more,
	})
	require.NoError(o.t, err)
	return r.SwIfIndex
}

func (o other) up(i interface_types.InterfaceIndex, up bool) {
	var f interface_types.IfStatusFlags
	if up {
		f = interface_types.IF_STATUS_API_FLAG_ADMIN_UP
	}
	_, err := o.SwInterfaceSetFlags(o.t.Context(), &interfaces.SwInterfaceSetFlags{SwIfIndex: i, Flags: f})
	require.NoError(o.t, err)
}

func (o other) bridge(i interface_types.InterfaceIndex, id uint32, in bool) {
	_, err := l2.NewServiceClient(o).SwInterfaceSetL2Bridge(o.t.Context(), &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: i, BdID: id, Enable: in})
	require.NoError(o.t, err)
}

func (o other) remove(i interface_types.InterfaceIndex) {
	_, err := o.DeleteLoopback(o.t.Context(), &interfaces.DeleteLoopback{SwIfIndex: i})
	require.NoError(o.t, err)
}

func (o other) list() string {
	all, err := vppnet.Collect(o.SwInterfaceDump(o.t.Context(), &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	require.NoError(o.t, err)
	var b strings.Builder
	for _, d := range all {
		fmt.Fprintf(&b, "%s [%s]\n", d.InterfaceName, d.Tag)
	}
	return b.String()
}

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

// all has an object of each kind.
func all() []desiredstate.Object {
	return []desiredstate.Object{
		vppnet.Loopback{Name: "lo"},
		vppnet.Loopback{Name: "bvi", BVI: true, Instance: 3, MAC: vppnet.MAC{2, 1, 1, 1, 1, 1}},
		vppnet.HostInterface{Name: "host", Device: "eth0"},
		vppnet.HostInterface{Name: "host1", Device: "eth1", MAC: vppnet.MAC{2, 1, 1, 1, 1, 2}},
		vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 100, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}},
		vppnet.LinkState{Interface: "lo", Up: true, MTU: 1400},
		vppnet.LinkState{Interface: "sub", Parent: "lo", Up: true, MTU: 1300},
		vppnet.BridgeDomain{Name: "net", ID: 5, MACAge: 60e9},
		vppnet.BridgePort{Bridge: "net", Interface: "sub"},
		vppnet.BridgePort{Bridge: "net", Interface: "bvi", BVI: true},
		vppnet.FIBEntry{Bridge: "net", Interface: "sub", MAC: vppnet.MAC{2, 1, 1, 1, 1, 9}},
	}
}

// Whoever dies between two messages has lost nothing, and leaves nothing.
func TestDeathBetweenMessages(t *testing.T) {
	want := all()
	for _, kind := range []vpptest.FaultKind{vpptest.CutBefore, vpptest.CutAfter} {
		for nth := 1; ; nth++ {
			vpp := vpptest.New(t)
			empty := vpp.String()
			c := dialVPP(t, vpp.Socket())
			vpp.Inject(vpptest.Fault{Kind: kind, Nth: nth})
			e := layer2(c)
			e.Parallel = 1
			_, err := e.Sync(t.Context(), want...)
			if err == nil {
				require.Greater(t, nth, 20)
				break
			}
			c = dialVPP(t, vpp.Socket())
			converge(t, c, want...)
			require.Equal(t, 6, strings.Count("\n"+vpp.String(), "\ninterface "), vpp.String())

			vpp.Inject(vpptest.Fault{Kind: kind, Nth: nth})
			_, _ = layer2(c).Sync(t.Context())
			vpp.Heal()
			converge(t, dialVPP(t, vpp.Socket()))
			require.Equal(t, empty, vpp.String())
		}
	}
}

// An answer that is lost is no reason to make a thing twice.
func TestLostReplies(t *testing.T) {
	lost := 0
	for nth := range 40 {
		vpp := vpptest.New(t)
		empty := vpp.String()
		c, err := vppnet.Dial(t.Context(), vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
		require.NoError(t, err)
		vpp.Inject(vpptest.Fault{Kind: vpptest.Drop, Nth: nth + 1})
		e := layer2(c)
		e.Parallel = 1
		_, first := e.Sync(t.Context(), all()...)
		vpp.Heal()
		_, err = e.Sync(t.Context(), all()...)
		require.NoError(t, err, nth)
		converge(t, c, all()...)
		require.Equal(t, 6, strings.Count("\n"+vpp.String(), "\ninterface "), vpp.String())
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
		require.Equal(t, empty, vpp.String())
		require.NoError(t, c.Close())
		if first != nil {
			lost++
		}
	}
	require.Greater(t, lost, 15)
}

// A tag that VPP refuses undoes what was made.
func TestRefusedTagIsUndone(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface(nic))
	before := vpp.String()
	c := dialVPP(t, vpp.Socket())
	for _, o := range []desiredstate.Object{
		vppnet.Loopback{Name: "lo"},
		vppnet.Loopback{Name: "bvi", BVI: true},
		vppnet.HostInterface{Name: "host", Device: "eth0"},
		vppnet.SubInterface{Name: "sub", Parent: uplink, Outer: 100},
	} {
		vpp.Inject(vpptest.Fault{Message: "sw_interface_tag_add_del", Kind: vpptest.Refuse, Retval: int32(api.UNSPECIFIED)})
		_, err := layer2(c).Ensure(t.Context(), o)
		require.ErrorIs(t, err, api.UNSPECIFIED, o.Key())
		require.Equal(t, before, vpp.String(), o.Key())
	}
}

// Whatever is wanted after a crash, nothing of ours is left.
func TestDeathThenNobodyWantsIt(t *testing.T) {
	want := slices.DeleteFunc(all(), func(o desiredstate.Object) bool { // what can bear no mark
		h, ok := o.(vppnet.HostInterface)
		return ok && !h.MAC.IsZero()
	})
	want = append(want, vppnet.SubInterface{Name: "inner", Parent: "lo", Outer: 100, Inner: 7}, vppnet.SubInterface{Name: "ad", Parent: "lo", Outer: 100, Dot1ad: true})
	for _, kind := range []vpptest.FaultKind{vpptest.CutBefore, vpptest.CutAfter} {
		for nth := 1; ; nth++ {
			vpp := vpptest.New(t)
			empty := vpp.String()
			e := layer2(dialVPP(t, vpp.Socket()))
			vpp.Inject(vpptest.Fault{Kind: kind, Nth: nth})
			e.Parallel = 1
			_, err := e.Sync(t.Context(), want...)
			vpp.Heal()
			converge(t, dialVPP(t, vpp.Socket()))
			require.Equal(t, empty, vpp.String(), "%v %d", kind, nth)
			if err == nil {
				require.Greater(t, nth, 20)
				break
			}
		}
	}
}
