// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vppnet"
)

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
