// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"slices"

	"go.fd.io/govpp/binapi/vlib"
)

// nodes are those of VPP's graph that something of ours asks for, and where packets go from
// there. VPP has two thousand more.
type nodes struct {
	next map[string][]string
}

// otherNodes are such as only are gone to.
var otherNodes = []string{"error-drop", "l2-input", "ip4-input", "ip6-input"}

func loadNodes(v *VPP) {
	n := &nodes{next: make(map[string][]string)}
	v.life.nodes = n
	Handle(v, func(_ *Call, q *vlib.GetNextIndex) *vlib.GetNextIndexReply {
		index, retval := n.find(q.NodeName, q.NextName)
		return &vlib.GetNextIndexReply{Retval: retval, NextIndex: index}
	})
	Handle(v, func(_ *Call, q *vlib.AddNodeNext) *vlib.AddNodeNextReply {
		index, retval := n.find(q.NodeName, q.NextName)
		if retval == noSuchEntry {
			n.add(q.NodeName, q.NextName)
			index, retval = n.find(q.NodeName, q.NextName)
		}
		return &vlib.AddNodeNextReply{Retval: retval, NextIndex: index}
	})
}

func (n *nodes) add(node string, next ...string) { n.next[node] = append(n.next[node], next...) }

// nexts is how many ways there are.
func (n *nodes) nexts(node string) uint32 { return uint32(len(n.next[node])) }

func (n *nodes) find(node, next string) (uint32, int32) {
	known := func(name string) bool { return n.next[name] != nil || slices.Contains(otherNodes, name) }
	switch {
	case !known(node):
		return none, noSuchNode
	case !known(next):
		return none, noSuchNode2
	}
	i := slices.Index(n.next[node], next)
	if i < 0 {
		return none, noSuchEntry
	}
	return uint32(i), 0
}
