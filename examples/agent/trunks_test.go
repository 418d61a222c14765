// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
)

// trunked is a trunk's value: subports by their VLANs, networks and groups.
type trunked struct {
	n, guest, network int
	groups            []string
}

func trunkOf(subs ...trunked) string {
	var list []string
	for _, s := range subs {
		v := secured(s.network, fmt.Sprintf("10.0.%d.9", s.guest), s.groups...)
		if s.groups == nil {
			v = strings.Replace(v, `"port_security_enabled":true`, `"port_security_enabled":false`, 1)
		}
		v = strings.NewReplacer(
			`"network_type"`, `"uplink_seg_type"`, `"segmentation_id"`, `"uplink_seg_id"`,
		).Replace(v)
		list = append(list, fmt.Sprintf(`{"port_id":%q,"segmentation_type":"vlan","segmentation_id":%d,%s`, uuid(s.n), s.guest, v[1:]))
	}
	return `{"name":"t","status":"DOWN","sub_ports":[` + strings.Join(list, ",") + `]}`
}

func (r *rig) trunk(parent, value string) { r.set("/networking-vpp/nodes/h1/trunks/"+parent, value) }

// A trunk's subports come with their parent, in whichever order the keys come, follow it when
// its interface is made anew, and go with either; what is wrong with one is said of the trunk,
// and the others are served.
func TestTrunks(t *testing.T) {
	r, v := newRig(t), memory(t)
	a := r.agent(r.siteOf("h1", nic), v.Socket())
	up := func(name string) bool {
		s, _ := a.store.Status(vppnet.LinkKey(name))
		return s.State == desiredstate.Applied
	}
	errs := func(want map[string]string) {
		t.Helper()
		require.Eventually(t, func() bool {
			got, _ := r.said("h1", "errors/")
			for k, why := range want {
				if !strings.Contains(got[k], why) {
					return false
				}
			}
			return len(got) == len(want)
		}, longest, tick, "%v", want)
	}
	key := "trunks/" + uuid(1)
	r.trunk(uuid(1), trunkOf(trunked{2, 11, 102, nil}, trunked{3, 12, 103, []string{gid(1)}}))
	errs(map[string]string{key: "subport " + uuid(2) + ": its parent " + uuid(1) + " is not here; subport " + uuid(3) + ": its parent"})
	r.put("h1", uuid(1), port(101))
	r.bound("h1", uuid(1)) // its subports have no state
	require.Eventually(t, func() bool { return up("subport-" + uuid(2)) }, longest, tick)
	errs(map[string]string{key: "subport " + uuid(3) + ": security group " + gid(1)})
	require.False(t, up("secured-subport-"+uuid(3)), "its group is not there")
	r.group(1, ssh("0.0.0.0"))
	require.Eventually(t, func() bool { return up("secured-subport-" + uuid(3)) }, longest, tick)
	errs(nil)

	// The parent comes to be filtered, so it is another interface.
	r.put("h1", uuid(1), secured(101, "10.0.0.1", gid(1)))
	on := func(sub, parent string) {
		t.Helper()
		require.Eventually(t, func() bool {
			o, _ := a.store.Want(vppnet.InterfaceKey(sub))
			s, ok := o.(vppnet.SubInterface)
			return ok && s.Parent == parent && up(sub)
		}, longest, tick)
	}
	on("subport-"+uuid(2), "secured-"+uuid(1))
	on("secured-subport-"+uuid(3), "secured-"+uuid(1))

	// Bad subports: the trunk itself, one on its parent's network, two on one VLAN, of two trunks.
	r.put("h1", uuid(20), port(105))
	r.trunk(uuid(20), trunkOf(trunked{2, 7, 102, nil}))
	r.trunk(uuid(1), trunkOf(trunked{2, 11, 102, nil}, trunked{1, 13, 104, nil}, trunked{4, 14, 101, nil}, trunked{5, 11, 105, nil}))
	errs(map[string]string{
		key:                  "subport " + uuid(1) + " is the trunk's parent; subport " + uuid(5) + ": VLAN 11 is that of subport " + uuid(2),
		"trunks/" + uuid(20): "subport " + uuid(2),
	})
	errs(map[string]string{key: "subport " + uuid(4) + ": physnet1.vlan.101 is its parent's network too", "trunks/" + uuid(20): ""})
	on("subport-"+uuid(2), "secured-"+uuid(1))
	r.trunk(uuid(20), "")
	r.unplug("h1", uuid(20))
	r.trunk(uuid(1), "junk")
	errs(map[string]string{key: "not a JSON object"})
	require.Eventually(t, func() bool { _, is := a.store.Want(vppnet.InterfaceKey("subport-" + uuid(2))); return !is }, longest, tick)

	// The parent goes first, then the trunk; nothing is left.
	r.trunk(uuid(1), trunkOf(trunked{2, 11, 102, nil}))
	on("subport-"+uuid(2), "secured-"+uuid(1))
	r.unplug("h1", uuid(1))
	errs(map[string]string{key: "its parent " + uuid(1) + " is not here"})
	r.trunk(uuid(1), "")
	errs(nil)
	require.NoError(t, a.store.Wait(t.Context()))
	r.whole(a.site, v.Socket(), nil)

	// A name that only a subport has inside is a name like any other.
	r.put("h1", "trunks/"+uuid(1)+"/"+uuid(2), port(101))
	errs(map[string]string{segment("./trunks/" + uuid(1) + "/" + uuid(2)): "the key's name is not a UUID"})
}

// A VM's two subports are in two networks, each behind its own groups, and not in each
// other's; the untagged port is in a third.
func TestTrunkTraffic(t *testing.T) {
	c := &classic{ethernet: netrig.New(t, "ethernet")}
	c.ethernet.Bridge(t, "brphys")
	c.rig = newRig(t)
	ns := netrig.New(t, "h1")
	c.ethernet.Plug(t, "brphys", "to-h1", ns, "up-h1")
	h1 := c.node("h1", ns)
	h1.agent = c.rig.agent(h1.site, h1.vpp.Socket())
	c.permit(1, 6)
	p := c.boot(h1, 101, "10.0.1.9/24")
	one, two, three := c.boot(h1, 101, "10.0.1.1/24"), c.boot(h1, 102, "10.0.11.1/24"), c.boot(h1, 103, "10.0.12.1/24")
	c.trunk(p.port, strings.ReplaceAll(
		trunkOf(trunked{102, 11, 102, nil}, trunked{103, 12, 103, []string{gid(1)}}), "fa:16:3e:00:10:01", p.mac.String()))
	in11, in12 := tagging(t, p.NetNS, 11, p.mac, "10.0.11.9/24"), tagging(t, p.NetNS, 12, p.mac, "10.0.12.9/24")
	p.Reaches(t, "10.0.1.1")
	in11.Reaches(t, "10.0.11.1")
	in12.Misses(t, "10.0.12.1") // by its group, TCP only
	in12.IP(t, "addr", "add", "10.0.11.8/24", "dev", "eth0")
	in12.Misses(t, "10.0.11.1", "-I", "10.0.11.8")
	two.Reaches(t, "10.0.11.9")
	three.Misses(t, "10.0.12.9")
	c.permit(1, 0)
	in12.Reaches(t, "10.0.12.1")
	three.Reaches(t, "10.0.12.9")
	seen := []*netrig.Capture{
		two.Capture(t, "eth0", func(f []byte) bool { return vppnet.MAC(f[6:12]) == three.mac }),
		three.Capture(t, "eth0", func(f []byte) bool { return vppnet.MAC(f[6:12]) == two.mac }),
	}
	two.IP(t, "addr", "add", "10.0.12.77/24", "dev", "eth0")
	two.Misses(t, "10.0.12.1")
	two.Misses(t, "10.0.12.9")
	one.Misses(t, "10.0.11.1")
	for _, s := range seen {
		require.Empty(t, s.Frames())
	}
	c.trunk(p.port, "")
	in11.Loses(t, "10.0.11.1")
	p.Reaches(t, "10.0.1.1")
}

// tagging is a namespace whose frames a VM sends and takes with a VLAN, as its kernel would.
func tagging(t *testing.T, vm netrig.NetNS, vlan uint16, mac vppnet.MAC, address string) netrig.NetNS {
	name := fmt.Sprintf("v%d", vlan)
	ns := netrig.New(t, name)
	netrig.Veth(t, vm, name, ns, "eth0")
	ns.IP(t, "link", "set", "dev", "eth0", "address", mac.String())
	ns.Address(t, address)
	var up, down *netrig.Wire
	ready := make(chan struct{})
	up = vm.Listen(t, "eth0", func(f []byte) {
		if <-ready; vlanOf(f) == int(vlan) {
			down.Send(slices.Concat(f[:12], f[16:]))
		}
	})
	down = vm.Listen(t, name, func(f []byte) {
		<-ready
		up.Send(slices.Concat(f[:12], []byte{0x81, 0, byte(vlan >> 8), byte(vlan)}, f[12:]))
	})
	close(ready)
	return ns
}

// Each network that a VM is in by its trunk hears where it is when it comes; that of a subport that comes
// later, then.
func TestATrunkIsAnnounced(t *testing.T) {
	c := &classic{ethernet: netrig.New(t, "ethernet")}
	c.ethernet.Bridge(t, "brphys")
	c.rig = newRig(t)
	ns := netrig.New(t, "h1")
	c.ethernet.Plug(t, "brphys", "to-h1", ns, "up-h1")
	h1 := c.node("h1", ns)
	h1.agent = c.rig.agent(h1.site, h1.vpp.Socket())
	c.permit(1, 6)
	said := c.ethernet.Capture(t, "to-h1", announcement)
	hears := func(vlans ...int) {
		t.Helper()
		require.Eventually(t, func() bool {
			in := map[int]bool{}
			for _, f := range said.Frames() {
				in[vlanOf(f)] = true
			}
			return slices.Equal(slices.Sorted(maps.Keys(in)), vlans)
		}, longest, tick, "%v", vlans)
	}
	two, three := trunked{102, 11, 102, nil}, trunked{103, 12, 103, []string{gid(1)}}
	c.trunk(uuid(1), trunkOf(two, three))
	p := c.boot(h1, 101, "10.0.1.9/24")
	p.WaitConnected(t, 0)
	hears(101, 102, 103)
	c.trunk(uuid(1), trunkOf(two, three, trunked{104, 13, 104, nil}))
	hears(101, 102, 103, 104)
	require.NotContains(t, h1.agent.log.String(), "cannot announce")
}
