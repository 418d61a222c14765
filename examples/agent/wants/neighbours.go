// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

// neighbours are what other hosts say of the networks of overlays that this host is in. Of
// no other network is anything read.
type neighbours struct {
	site             translate.Site
	follow, unfollow func(follow.Range)
	stir             func(name string) // told of a key with which something else is wrong now, or nothing

	places  map[string]place // by who is there: a port, a router's leg
	nets    map[uint32]*neighbourhood
	changed map[uint32]bool  // networks of which that is to be told
	wrong   map[string]error // keys that cannot be read, by name below translate.Networks
	wrongs  map[string]int   // how many, by the VNI in it
	gone    map[string]bool  // sources that somebody said are nothing any more
	missed  bool             // a key was in no list any more, and nobody said that it is deleted
	refused map[string]error // what the store would not take, by source
	stirred map[string]bool  // who is here and is claimed elsewhere now, or no more
}

// place is where somebody is, and whether that is here.
type place struct {
	translate.Place
	here bool
}

// neighbourhood is one network.
type neighbourhood struct {
	who   map[string]bool                  // is in it, of this host
	said  map[string]translate.Sighting    // by name below translate.Networks
	wants map[string][]desiredstate.Object // by source: a host

	claimed map[vppnet.MAC]bool // is here, and another host says that it has it
}

func newNeighbours(site translate.Site) *neighbours {
	return &neighbours{
		site: site, follow: func(follow.Range) {}, unfollow: func(follow.Range) {}, stir: func(string) {},
		places: map[string]place{}, nets: map[uint32]*neighbourhood{}, changed: map[uint32]bool{},
		wrong: map[string]error{}, wrongs: map[string]int{}, gone: map[string]bool{}, stirred: map[string]bool{},
	}
}

// elsewhere names what wants the objects of those behind another host.
func elsewhere(vni uint32, host string) string { return fmt.Sprintf("remote/%d/%s", vni, host) }

// networks begins the names, to the announcer, of keys of other hosts.
const networks = "networks/gpe/"

// move says where somebody is from now on; false: nowhere.
func (n *neighbours) move(who string, at place, somewhere bool) {
	before, was := n.places[who]
	if was == somewhere && before == at {
		return
	}
	if somewhere {
		n.places[who] = at
		x := n.nets[at.VNI]
		if x == nil {
			x = &neighbourhood{who: map[string]bool{}, said: map[string]translate.Sighting{}}
			n.nets[at.VNI] = x
			n.follow(follow.Range(translate.NetworkKeys(at.VNI)))
		}
		x.who[who] = true
		n.changed[at.VNI] = true
	} else {
		delete(n.places, who)
	}
	if !was {
		return
	}
	n.changed[before.VNI] = true
	if x := n.nets[before.VNI]; !somewhere || at.VNI != before.VNI {
		if delete(x.who, who); len(x.who) == 0 {
			n.leave(before.VNI)
		}
	}
}

// leave forgets a network.
func (n *neighbours) leave(vni uint32) {
	for source := range n.nets[vni].wants {
		n.gone[source] = true
	}
	for name := range n.wrong {
		if strings.HasPrefix(name, fmt.Sprintf("%d/", vni)) {
			n.blame(name, nil)
		}
	}
	delete(n.nets, vni)
	n.unfollow(follow.Range(translate.NetworkKeys(vni)))
}

// routed says where routers are from now on.
func (n *neighbours) routed(ports map[string]translate.RouterPort, serving bool) {
	now := map[string]place{}
	for name, p := range ports {
		if at, ok := n.site.RouterPlace(p); ok {
			now[OfRouter(name)] = place{at, serving}
		}
	}
	for who := range n.places {
		if _, still := now[who]; !still && strings.HasPrefix(who, OfRouter("")) {
			n.move(who, place{}, false)
		}
	}
	for who, at := range now {
		n.move(who, at, true)
	}
}

// listed takes all keys of a network.
func (n *neighbours) listed(r follow.Range, values map[string][]byte) {
	for vni, x := range n.nets {
		if string(r) != translate.NetworkKeys(vni) {
			continue
		}
		for name := range x.said {
			if _, still := values[translate.Networks+name]; !still {
				n.put(name, nil, false)
				n.missed = true
			}
		}
	}
	for name := range n.wrong {
		if _, still := values[translate.Networks+name]; !still && r.Has(translate.Networks+name) {
			n.blame(name, nil)
		}
	}
	for key, value := range values {
		n.put(strings.TrimPrefix(key, translate.Networks), value, true)
	}
}

// put takes the value of one key; it is there, or not.
func (n *neighbours) put(name string, value []byte, there bool) {
	g, err := n.site.Sighting(name, value)
	if !there {
		n.blame(name, nil)
	} else {
		n.blame(name, err)
	}
	for vni, x := range n.nets { // a key that cannot be read is in the network of its name all the same
		before, was := x.said[name]
		if vni != g.VNI && !was {
			continue
		}
		if delete(x.said, name); there && err == nil {
			g.Revision = before.Revision
			x.said[name] = g
		}
		n.changed[vni] = true
	}
}

// mostWrong is how many keys of a network are named that cannot be read: whoever may write there shall not
// let an agent grow.
const mostWrong = 1000

// blame notes what is wrong with a key; nil: nothing.
func (n *neighbours) blame(name string, err error) {
	before, was := n.wrong[name]
	vni, _, _ := strings.Cut(name, "/")
	switch {
	case sameError(before, err):
		return
	case err == nil:
		delete(n.wrong, name)
		if n.wrongs[vni]--; n.wrongs[vni] == 0 {
			delete(n.wrongs, vni)
		}
	case was:
		n.wrong[name] = err
	case n.wrongs[vni] == mostWrong:
		return
	default:
		n.wrong[name] = err
		n.wrongs[vni]++
	}
	n.stir(name)
}

// written takes when a key was written.
func (n *neighbours) written(name string, at int64) {
	for vni, x := range n.nets {
		if g, ok := x.said[name]; ok && g.Revision != at {
			g.Revision = at
			x.said[name] = g
			n.changed[vni] = true
		}
	}
}

// work looks at the networks that have changed, and returns what each source wants that is told
// anew. Of a network that was left because keys were lost, all stays as long as who was in it does.
func (n *neighbours) work(lost bool) map[string][]desiredstate.Object {
	out := map[string][]desiredstate.Object{}
	for vni := range n.changed {
		x := n.nets[vni]
		if x == nil {
			continue
		}
		here := map[vppnet.MAC]bool{}
		for who := range x.who {
			if at := n.places[who]; at.here {
				here[at.MAC] = true
			}
		}
		x.claimed = n.claims(x, here)
		before := x.wants
		x.wants = map[string][]desiredstate.Object{}
		said := slices.Collect(maps.Values(x.said))
		for host, objs := range n.site.Remotes(vni, said, func(m vppnet.MAC) bool { return here[m] }) {
			x.wants[elsewhere(vni, host)] = objs
			delete(n.gone, elsewhere(vni, host))
		}
		maps.Copy(out, x.wants)
		for source := range before {
			if _, still := x.wants[source]; !still && !n.missed {
				n.gone[source] = true
			}
		}
	}
	if !lost {
		for source := range n.gone {
			out[source] = nil
		}
	}
	clear(n.changed)
	clear(n.gone)
	return out
}

// claims are the MACs that are here and another host says it has. Whom that is news for is stirred.
func (n *neighbours) claims(x *neighbourhood, here map[vppnet.MAC]bool) map[vppnet.MAC]bool {
	out := map[vppnet.MAC]bool{}
	for _, g := range x.said {
		if g.Host != n.site.Host && here[g.MAC] {
			out[g.MAC] = true
		}
	}
	for who := range x.who {
		if mac := n.places[who].MAC; out[mac] != x.claimed[mac] {
			n.stirred[who] = true
		}
	}
	return out
}

// all is what all sources want.
func (n *neighbours) all() map[string][]desiredstate.Object {
	out := map[string][]desiredstate.Object{}
	for _, x := range n.nets {
		maps.Copy(out, x.wants)
	}
	return out
}

// assignRemotes tells the store, also of what it refused before: someone who moves from one host to
// another may be wanted of both until both are told.
func (b *Inbox) assignRemotes(wants map[string][]desiredstate.Object) {
	n := b.remotes
	before := n.refused
	if len(before) > 0 {
		all := n.all()
		for source := range before {
			if _, anew := wants[source]; !anew {
				wants[source] = all[source]
			}
		}
	}
	n.refused = ask(b.store, slices.Sorted(maps.Keys(wants)), wants)
	for source, err := range n.refused {
		if !sameError(before[source], err) {
			b.log.Error("conflicting wants", "source", source, "err", err)
		}
	}
}
