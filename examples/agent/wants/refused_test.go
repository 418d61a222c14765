// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/vppnet"
)

// Who waits for each other gets what it wants, and loses nothing in between that it has and still wants. Who waits for
// somebody else keeps what it had, and so do those who wait for it.
func TestWhoWaitsForEachOther(t *testing.T) {
	// "a1 b2": the source wants to be 1 at a, and 2 at b
	objects := func(want string) (objs []desiredstate.Object) {
		for _, w := range strings.Fields(want) {
			objs = append(objs, vppnet.LinkState{Interface: w[:1], MTU: uint32(w[1])})
		}
		return objs
	}
	for name, c := range map[string]struct{ had, wants, has map[string]string }{
		"two swap": {
			map[string]string{"x": "a1 c1", "y": "b2"}, map[string]string{"x": "b1 c1", "y": "a2"}, map[string]string{"x": "b1 c1", "y": "a2"},
		},
		"three in a circle, and one after them": {
			map[string]string{"x": "a1", "y": "b2", "z": "c3"},
			map[string]string{"w": "d4 a3", "x": "b1", "y": "c2", "z": "a3"},
			map[string]string{"w": "d4 a3", "x": "b1", "y": "c2", "z": "a3"},
		},
		"both change what they share": {
			map[string]string{"x": "a1 b1", "y": "a1 c1"}, map[string]string{"x": "a2 b1", "y": "a2 c1"}, map[string]string{"x": "a2 b1", "y": "a2 c1"},
		},
		"one of a circle waits for somebody else": {
			map[string]string{"x": "a1", "y": "b2", "o": "c3"}, map[string]string{"x": "b1", "y": "a2 c2"}, map[string]string{"x": "a1", "y": "b2", "o": "c3"},
		},
		"two swap beside one who waits for somebody else": {
			map[string]string{"x": "a1", "y": "b2", "z": "d4", "o": "c3"},
			map[string]string{"x": "b1", "y": "a2", "z": "c4"},
			map[string]string{"x": "b1", "y": "a2", "z": "d4", "o": "c3"},
		},
		"both want the same otherwise": {
			map[string]string{"x": "a1", "y": "b2"}, map[string]string{"x": "b1 c1", "y": "a2 c2"}, map[string]string{"x": "a1", "y": "b2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := desiredstate.NewStore()
			for source, want := range c.had {
				require.NoError(t, store.Assign(source, objects(want)...))
			}
			wants := map[string][]desiredstate.Object{}
			for source, want := range c.wants {
				wants[source] = objects(want)
			}
			refused := ask(store, slices.Sorted(maps.Keys(wants)), wants)
			all := 0
			for source, has := range c.has {
				for _, o := range objects(has) {
					is, _ := store.Want(o.Key())
					require.Equal(t, o, is)
					require.Contains(t, store.Sources(o.Key()), source)
					all++
				}
				if want, asked := c.wants[source]; asked {
					require.Equal(t, want != has, refused[source] != nil, source)
				}
			}
			for key := range store.Statuses() {
				all -= len(store.Sources(key))
			}
			require.Zero(t, all, "that is all")
		})
	}
}

// Two VMs that swap hosts are each behind the other's in the end, also if both are heard of at once.
func TestTwoVMsSwapHosts(t *testing.T) {
	over := node
	over.Overlay = translate.GPE{Underlay: node.Underlay("p1", netip.MustParsePrefix("192.0.2.1/24"))}
	b := newBox(t, over)
	b.put(over.Ports()+uid(1), `{"mac_address":"fa:16:3e:00:00:01","network_type":"gpe","segmentation_id":77,"binding_type":"vhostuser","port_security_enabled":false}`)
	b.settle()
	at := func(vm, host int) { // VM 2 and 3 move
		key := func(host int) string { return fmt.Sprintf("%s77/h%d/10.0.0.%d", translate.Networks, host, vm) }
		b.put(key(5-host), "")
		b.put(key(host), fmt.Sprintf(`{"mac":"fa:16:3e:00:00:%02x","host":"192.0.2.%d"}`, vm, host))
	}
	for _, there := range []int{2, 3, 2} {
		at(2, there)
		at(3, 5-there)
		b.settle()
		for vm, host := range map[int]int{2: there, 3: 5 - there} {
			o, _ := b.store.Want(gpe.RemoteEIDKey(77, gpe.MACEID(vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0, byte(vm)})))
			require.Equal(t, netip.AddrFrom4([4]byte{192, 0, 2, byte(host)}), o.(gpe.RemoteEID).Locators[0].Address)
		}
	}
}

// trunkOf is a trunk with subports in VLAN 11, 12, ... of the VM, and in VLAN 103.
func trunkOf(subports ...int) string {
	var list []string
	for i, n := range subports {
		list = append(list, fmt.Sprintf(`{"port_id":%q,"segmentation_id":%d,"physnet":"p1","uplink_seg_type":"vlan",`+
			`"uplink_seg_id":103,"mac_address":"fa:16:3e:00:01:01","port_security_enabled":false}`, uid(n), 11+i))
	}
	return `{"sub_ports":[` + strings.Join(list, ",") + `]}`
}

// on is whose subport 9 is.
func (b *box) on(parent int) {
	b.Helper()
	o, is := b.store.Want(vppnet.InterfaceKey("subport-" + uid(9)))
	require.True(b, is, "%v", b.wrong)
	require.Equal(b, "port-"+uid(parent), o.(vppnet.SubInterface).Parent)
}

// trunks is a box with two ports that may have trunks.
func trunks(t *testing.T) *box {
	b := newBox(t, node)
	for n := 1; n <= 2; n++ {
		b.put(node.Ports()+uid(n), portIn(n, 100+n))
	}
	b.settle()
	return b
}

// A subport that moves from one trunk to another is there, in whichever order, and in however many bursts,
// the two are written.
func TestASubportMoves(t *testing.T) {
	for _, order := range [][]int{{1, 2}, {2, 1}} {
		for _, bursts := range []int{1, 2} {
			t.Run(fmt.Sprint(order, bursts), func(t *testing.T) {
				for range 10 { // maps are walked in any order
					b := trunks(t)
					b.put(node.Trunks()+uid(1), trunkOf(9))
					b.put(node.Trunks()+uid(2), trunkOf())
					b.settle()
					b.on(1)
					for i, n := range order {
						b.put(node.Trunks()+uid(n), map[int]string{1: trunkOf(), 2: trunkOf(9)}[n])
						if i == 0 && bursts == 2 {
							b.settle()
						}
					}
					b.settle()
					b.on(2)
					_, _, wrong := b.Look(SubportName(uid(2), uid(9)))
					require.NoError(t, wrong)
				}
			})
		}
	}
}

// Two trunks have one subport: who had it first stays served over a restart, and the other one comes when that goes.
func TestASubportOfTwoTrunks(t *testing.T) {
	b := trunks(t)
	for _, n := range []int{2, 1} {
		b.put(node.Trunks()+uid(n), trunkOf(9))
		b.settle()
	}
	for range 2 {
		b.on(2)
		_, _, wrong := b.Look(SubportName(uid(1), uid(9)))
		require.Error(t, wrong)
		b = b.restarted()
	}
	b.put(node.Ports()+uid(2), "") // the parent
	b.settle()
	b.on(1)
	require.Empty(t, b.refused)
}

// The subports of a port for which there was no room come with it, whichever of the two was written first.
func TestSubportsOfAPortThatWaited(t *testing.T) {
	for _, first := range []string{"port", "trunk"} {
		b := trunks(t)
		b.Room = Room{Ports: 2, Filtered: 2}
		put := map[string]func(){
			"port":  func() { b.put(node.Ports()+uid(3), portIn(3, 101)) },
			"trunk": func() { b.put(node.Trunks()+uid(3), trunkOf(9)) },
		}
		put[first]()
		b.settle()
		delete(put, first)
		for _, then := range put {
			then()
		}
		b.settle()
		_, _, wrong := b.Look(SubportName(uid(3), uid(9)))
		require.ErrorContains(t, wrong, "its parent "+uid(3)+" is not here")
		b.put(node.Ports()+uid(1), "")
		b.put(node.Ports()+uid(2), "")
		b.settle()
		b.on(3)
	}
}

// A port that is refused is in its groups when it is not any more.
func TestARefusedPortIsWhole(t *testing.T) {
	b := trunks(t)
	b.put(node.Trunks()+uid(1), trunkOf(9))
	secured := strings.Replace(trunkOf(9), `"port_security_enabled":false`, fmt.Sprintf(`"security_groups":[%q]`, uid(7)), 1)
	b.settle()
	b.put(node.Ports()+uid(3), portIn(3, 101, uid(7)))
	b.put(node.Trunks()+uid(2), secured)
	b.put(node.Trunks()+uid(1), secured)
	b.settle()
	name := SubportName(uid(2), uid(9))
	require.NotContains(t, b.InGroup(uid(7)), name)
	b.put(node.Trunks()+uid(1), "")
	b.settle()
	require.Contains(t, b.InGroup(uid(7)), name)
	_, known, wrong := b.Look(name)
	require.NoError(t, wrong)
	require.True(t, known)
}

// Keys of ports that are called as subports are, or as such a one is called here, are keys of their own.
func TestPortsCalledAsSubports(t *testing.T) {
	b := trunks(t)
	for _, key := range []string{"trunks/x", "./trunks/x"} {
		b.put(node.Ports()+key, "junk")
	}
	b.settle()
	names, _ := b.Names()
	require.Len(t, names, 4)
	b.put(node.Ports()+"trunks/x", "")
	b.settle()
	names, _ = b.Names()
	require.Len(t, names, 3)
	b.root() // all are listed once more
	names, _ = b.Names()
	require.Len(t, names, 3)
	delete(b.etcd, node.Ports()+"./trunks/x")
	b.root()
	names, _ = b.Names()
	require.Len(t, names, 2)
}

// Two routers that swap networks each get the other's.
func TestTwoRoutersSwapNetworks(t *testing.T) {
	b := newBox(t, node)
	leg := func(router, port, vlan int) {
		b.put(node.Routers()+uid(router)+"/"+uid(port), fmt.Sprintf(`{"port_id":%q,"loopback_mac":"fa:16:3e:01:00:%02x","gateway_ip":"10.0.0.1",`+
			`"subnet_id":"s","fixed_ips":[{"subnet_id":"s","ip_address":"10.0.0.%d"}],"network_id":"n","is_ipv6":false,"prefixlen":24,"mtu":1500,`+
			`"segmentation_id":%d,"net_type":"vlan","physnet":"p1","vrf_id":%d}`, uid(port), port, port, vlan, router))
	}
	is := func(router, vlan int) {
		t.Helper()
		bvi := fmt.Sprintf("bvi-p1.vlan.%d", vlan)
		require.Equal(t, []string{"router/" + uid(router)}, b.store.Sources(vppnet.InterfaceKey(bvi)))
		require.Empty(t, b.routers.refused)
	}
	leg(1, 11, 101)
	leg(2, 12, 102)
	b.settle()
	is(1, 101)
	is(2, 102)
	b.put(node.Routers()+uid(1)+"/"+uid(11), "")
	b.put(node.Routers()+uid(2)+"/"+uid(12), "")
	leg(1, 14, 102)
	leg(2, 13, 101)
	b.settle()
	is(1, 102)
	is(2, 101)
}
