// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// found is what a VPP holds, read by a connection of its own.
func (r *rig) found(site translate.Site, vpp string) (ours, foreign map[desiredstate.Key]desiredstate.Found) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, translate.Owner)
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	e, _ := engine(c, site)
	all, err := e.Found(r.Context())
	require.NoError(r, err)
	ours, foreign = map[desiredstate.Key]desiredstate.Found{}, map[desiredstate.Key]desiredstate.Found{}
	for _, f := range all {
		if f.Foreign {
			foreign[f.Key] = f
		} else {
			ours[f.Key] = f
		}
	}
	return ours, foreign
}

// whole demands that VPP holds these ports, each by the VLAN of its network and, if
// it is filtered, by its groups, and nothing else of ours.
func (r *rig) whole(site translate.Site, vpp string, vlans map[string]int, filtered ...map[string][]string) map[desiredstate.Key]desiredstate.Found {
	r.Helper()
	groups := map[string][]string{}
	for _, f := range filtered {
		groups = f
	}
	have, _ := r.found(site, vpp)
	up := vppnet.Foreign(site.Physnets["physnet1"])
	want := map[desiredstate.Key]bool{vppnet.LinkKey(up): true}
	isUp := func(name string) {
		l, ok := have[vppnet.LinkKey(name)].Spec.(vppnet.LinkState)
		require.True(r, ok && l.Up, "%s is not up", name)
		want[vppnet.LinkKey(name)] = true
	}
	isUp(up)
	for name, vlan := range vlans {
		bridge := fmt.Sprintf("physnet1.vlan.%d", vlan)
		in := func(iface string) {
			p, _ := have[vppnet.BridgePortKey(iface)].Spec.(vppnet.BridgePort)
			require.Equal(r, bridge, p.Bridge, "%s is in another bridge domain", iface)
			want[vppnet.BridgePortKey(iface)], want[vppnet.InterfaceKey(iface)] = true, true
			isUp(iface)
		}
		iface := "port-" + name
		if in, ok := groups[name]; ok {
			iface = "secured-" + name
			for _, k := range r.filtered(have, iface, in) {
				want[k] = true
			}
		}
		in(iface)
		in(bridge)
		require.Equal(r, "vhost-port", have[vppnet.InterfaceKey(iface)].Kind)
		sub, _ := have[vppnet.InterfaceKey(bridge)].Spec.(vppnet.SubInterface)
		require.Equal(r, up, sub.Parent)
		require.EqualValues(r, vlan, sub.Outer)
		require.Equal(r, vppnet.Pop1, sub.Rewrite.Op)
		require.Contains(r, have, vppnet.BridgeKey(bridge))
		want[vppnet.BridgeKey(bridge)] = true
	}
	for k := range have {
		require.True(r, want[k], "%s is there", k)
	}
	return have
}

// filtered demands that an interface is behind the filters of these groups, and
// lists what these are.
func (r *rig) filtered(have map[desiredstate.Key]desiredstate.Found, iface string, groups []string) []desiredstate.Key {
	r.Helper()
	input, output := []string{acl.SpoofFrom}, []string{acl.SpoofTo}
	for _, g := range slices.Compact(slices.Sorted(slices.Values(groups))) {
		input, output = append(input, acl.FromSet(g)), append(output, acl.ToSet(g))
	}
	b, _ := have[acl.BindingKey(iface)].Spec.(acl.Binding)
	require.Equal(r, input, b.Input, iface)
	require.Equal(r, output, b.Output, iface)
	m, _ := have[acl.MACIPBindingKey(iface)].Spec.(acl.MACIPBinding)
	require.Equal(r, iface, m.Set)
	e, _ := have[acl.EtherTypesKey(iface)].Spec.(acl.EtherTypes)
	require.Equal(r, []uint16{0x0806}, e.Input, iface)
	require.Equal(r, []uint16{0x0806}, e.Output, iface)
	out := []desiredstate.Key{acl.EtherTypesKey(iface), acl.BindingKey(iface), acl.MACIPBindingKey(iface), acl.MACIPKey(iface)}
	for _, set := range slices.Concat(input, output) {
		require.Contains(r, have, acl.SetKey(set))
		out = append(out, acl.SetKey(set))
	}
	return out
}

// loopback makes an interface that stands for a NIC.
func (r *rig) loopback(vpp string) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.CreateLoopback{})
	_, err = interfaces.NewServiceClient(c).CreateLoopback(r.Context(), &interfaces.CreateLoopback{})
	require.NoError(r, err)
}

// byHand makes a loopback in a bridge domain, without any tag, as an operator
// would.
func (r *rig) byHand(vpp string) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.CreateLoopback{}, &l2.BridgeDomainAddDelV2{}, &l2.SwInterfaceSetL2Bridge{})
	loop, err := interfaces.NewServiceClient(c).CreateLoopback(r.Context(), &interfaces.CreateLoopback{})
	require.NoError(r, err)
	bridges := l2.NewServiceClient(c)
	_, err = bridges.BridgeDomainAddDelV2(r.Context(), &l2.BridgeDomainAddDelV2{BdID: 77, IsAdd: true, Learn: true, BdTag: "theirs"})
	require.NoError(r, err)
	_, err = bridges.SwInterfaceSetL2Bridge(r.Context(), &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: loop.SwIfIndex, BdID: 77, Enable: true})
	require.NoError(r, err)
}

// foreignACLs makes sets of somebody else, and binds them to a loopback.
func (r *rig) foreignACLs(vpp string) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.CreateLoopback{}, &binding.ACLAddReplace{}, &binding.MacipACLAddReplace{},
		&binding.ACLInterfaceSetACLList{}, &binding.MacipACLInterfaceAddDel{})
	loop, err := interfaces.NewServiceClient(c).CreateLoopback(r.Context(), &interfaces.CreateLoopback{})
	require.NoError(r, err)
	acls := binding.NewServiceClient(c)
	set, err := acls.ACLAddReplace(r.Context(), &binding.ACLAddReplace{ACLIndex: ^uint32(0), Tag: "sg:theirs.to", Count: 1, R: make([]acl_types.ACLRule, 1)})
	require.NoError(r, err)
	_, err = acls.ACLInterfaceSetACLList(r.Context(), &binding.ACLInterfaceSetACLList{SwIfIndex: loop.SwIfIndex, Count: 1, NInput: 1, Acls: []uint32{set.ACLIndex}})
	require.NoError(r, err)
	macs, err := acls.MacipACLAddReplace(r.Context(), &binding.MacipACLAddReplace{ACLIndex: ^uint32(0), Tag: "theirs", Count: 1, R: make([]acl_types.MacipACLRule, 1)})
	require.NoError(r, err)
	_, err = acls.MacipACLInterfaceAddDel(r.Context(), &binding.MacipACLInterfaceAddDel{IsAdd: true, SwIfIndex: loop.SwIfIndex, ACLIndex: macs.ACLIndex})
	require.NoError(r, err)
}

// index is VPP's number of the interface that VPP names so.
func (r *rig) index(vpp, name string) uint32 {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.SwInterfaceDump{})
	all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(r.Context(), &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	require.NoError(r, err)
	i := slices.IndexFunc(all, func(d *interfaces.SwInterfaceDetails) bool { return d.InterfaceName == name })
	require.GreaterOrEqual(r, i, 0, name)
	return uint32(all[i].SwIfIndex)
}

// setDown sets an interface of the agent's down, as an operator would.
func (r *rig) setDown(vpp, name string) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.SwInterfaceDump{}, &interfaces.SwInterfaceSetFlags{})
	all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(r.Context(), &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	require.NoError(r, err)
	for _, i := range all {
		if i.Tag == translate.Owner+"/"+name {
			_, err = interfaces.NewServiceClient(c).SwInterfaceSetFlags(r.Context(), &interfaces.SwInterfaceSetFlags{SwIfIndex: i.SwIfIndex})
			require.NoError(r, err)
			return
		}
	}
	require.Fail(r, "no such interface", name)
}

// foreign is all that is not ours, as text, but for the uplink, whose link state is.
func (r *rig) foreign(site translate.Site, vpp string) string {
	r.Helper()
	_, all := r.found(site, vpp)
	for _, uplink := range site.Physnets { // seen as a loopback once it is up, if it is one
		delete(all, vppnet.InterfaceKey(vppnet.Foreign(uplink)))
	}
	return r.text(all)
}

// text words what was found, whole and in order.
func (r *rig) text(all map[desiredstate.Key]desiredstate.Found) string {
	r.Helper()
	var out []string
	for k, f := range all {
		spec, err := json.Marshal(f.Spec)
		require.NoError(r, err)
		out = append(out, fmt.Sprintf("%s %d %s", k, f.ID, spec))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// memory starts an in-memory VPP with a NIC.
func memory(t *testing.T) *vpptest.VPP {
	t.Helper()
	return vpptest.New(t, vpptest.WithInterface(nic))
}

// takeVLAN makes a sub-interface by hand, on the interface of an index.
func (r *rig) takeVLAN(vpp string, parent interface_types.InterfaceIndex, vlan uint32) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.CreateVlanSubif{})
	_, err = interfaces.NewServiceClient(c).CreateVlanSubif(r.Context(), &interfaces.CreateVlanSubif{SwIfIndex: parent, VlanID: vlan})
	require.NoError(r, err)
}
