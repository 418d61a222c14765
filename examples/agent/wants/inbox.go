// SPDX-License-Identifier: Apache-2.0

// Package wants turns the keys of a host, and what these refer to, into what is wanted of its
// VPP: changes in, objects out. A [follow.Follower] tells an Inbox what lies in etcd; the Inbox
// tells a [desiredstate.Store], one source for each key, and remembers what is wrong with which.
//
// What one key means, package translate says. Here is what several have to do with each other:
// groups and their members, trunks and their parents, routers of one network, what other hosts
// say; and what there is room for, and in which order it is handed over.
package wants

import (
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/dirty"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/signed"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// Inbox turns the keys of a host into wants, one source for each key, and
// remembers what is wrong with which. The key of a port that is wrong wants
// nothing: what an earlier value of it had brought up is taken down, because
// nobody can tell any more that it may be up. What is wrong with a part of it leaves
// out the part. A value of which it is not proven whose it is says nothing, so what was
// known before stays. For groups, see groups.
//
// A Follower tells it; only Settled passes on what it was told. Its fields are set before that;
// its methods may be called from any number of goroutines, but those that a Follower calls from
// that one's alone.
type Inbox struct {
	Site  translate.Site                      // the host; not to be changed
	CA    *signed.CA                          // whose values are believed; nil: those that are not signed
	Room  Room                                // for how many ports; New finds it out
	Moved func(source string)                 // told of what something else is so now
	Heard func(source string, revision int64) // told first which source wants something else
	Mine  *atomic.Int64                       // counts what was told of keys of the host itself
	Wired *dirty.Set[string]                  // TAP ports that came or went

	Follow, Unfollow func(follow.Range) // what is needed besides the host's own keys; Feed sets them

	store *desiredstate.Store
	log   *slog.Logger

	mu      sync.Mutex
	ports   map[string]translate.Port
	wrong   map[string]error
	said    map[string]string // of each group what is wrong with it
	whole   bool              // there has been a list of all keys
	loaded  bool              // and all that it wants is in the store
	forging bool              // sets of groups are being made
	again   chan struct{}     // asks for settled
	behind  bool              // some of what changed is not handed over yet
	turns   int               // counts changes
	missed  int               // keys of ports and trunks that were in no list any more, and nobody said that they are deleted
	changed map[string]change // of ports, since the store was last told
	puts    map[string]int64  // the revisions of ports' keys: each put is to be answered
	others  map[string]bool   // keys of families that are not served, below Site.Keys
	stirred map[string]bool   // of these, since anybody was told
	groups  *groups
	routers *routers
	remotes *neighbours
	earlier []string                                 // ports that were bound by an earlier agent
	found   map[desiredstate.Key]desiredstate.Object // what VPP held at first, until all is known
	waiting map[string]change                        // ports for which there is no room
	refused map[string]change                        // ports that want what another has
	owed    bool                                     // these are to be asked again, whatever changes
	trunks  map[string]trunk                         // by parent
	taps    *taps
	snoops  map[string][]desiredstate.Object // by source
}

// change is what a port's key has come to be.
type change struct {
	port  translate.Port
	there bool
	wrong error
	at    int64 // the revision of the key, if it is known
	turn  int   // which of all changes it is
}

// New returns an Inbox of a host, which tells a store what is wanted there. Of routers it serves
// none until Serve, if the site has an election.
func New(site translate.Site, store *desiredstate.Store, log *slog.Logger) *Inbox {
	b := &Inbox{
		Site: site, store: store, log: log, Moved: func(string) {}, Heard: func(string, int64) {}, Mine: new(atomic.Int64),
		Follow: func(follow.Range) {}, Unfollow: func(follow.Range) {},
		again: make(chan struct{}, 1), Room: findRoom(), waiting: map[string]change{}, refused: map[string]change{},
		ports: map[string]translate.Port{}, wrong: map[string]error{}, changed: map[string]change{},
		puts: map[string]int64{}, others: map[string]bool{}, stirred: map[string]bool{},
		groups: newGroups(), said: map[string]string{}, routers: newRouters(site, store, log),
		remotes: newNeighbours(site), trunks: map[string]trunk{}, taps: newTaps(site), Wired: dirty.New[string](),
		snoops: map[string][]desiredstate.Object{},
	}
	b.routers.wake = b.lapsed
	on, off := func(r follow.Range) { b.Follow(r) }, func(r follow.Range) { b.Unfollow(r) }
	b.groups.follow, b.groups.unfollow = on, off
	b.remotes.follow, b.remotes.unfollow = on, off
	b.remotes.stir = func(name string) { b.stirred[networks+name] = true }
	b.taps.follow, b.taps.unfollow = on, off
	return b
}

// Feed makes a Follower tell the inbox, and follow what it comes to need.
func (b *Inbox) Feed(f *follow.Follower) {
	f.Root, f.Again, f.Longest = follow.Range(b.Site.Keys()), b.again, translate.Longest
	f.MostKeys, f.MostBytes = mostKeys, mostBytes
	f.Listed, f.Written, f.Settled = b.Listed, b.written, b.Settled
	f.Put = func(key string, value []byte) { b.Put(key, value, true) }
	f.Deleted = func(key string) { b.Put(key, nil, false) }
	b.Follow, b.Unfollow = f.Follow, f.Unfollow
}

// ReadAtOnce has groups read in line, however long they are.
func (b *Inbox) ReadAtOnce() { b.groups.inLine = math.MaxInt }

// Listed takes all that lies in a range.
func (b *Inbox) Listed(r follow.Range, values map[string][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := string(r)
	if name, ok := strings.CutPrefix(key, translate.Groups); ok {
		value, there := values[key]
		b.group(name, value, there)
		return
	}
	if name, ok := strings.CutPrefix(key, translate.Members); ok {
		b.groups.listed(strings.TrimSuffix(name, "/"), below(key, values))
		return
	}
	if strings.HasPrefix(key, translate.Networks) {
		b.remotes.listed(r, values)
		return
	}
	if isElsewhere(key) {
		value, there := values[key]
		b.taps.heard(key, value, there)
		return
	}
	b.Mine.Add(1)
	if r.Has(b.Site.Ports()) {
		ports := map[string][]byte{}
		for name, value := range below(b.Site.Ports(), values) {
			ports[portName(name)] = value
		}
		for _, name := range slices.AppendSeq(b.known(), maps.Keys(b.changed)) {
			if _, sub := ParentOf(name); sub {
				continue
			}
			if _, still := ports[name]; !still {
				b.port(name, nil, false)
				b.missed++
			}
		}
		for name, value := range ports {
			b.port(name, value, true)
		}
	}
	if r.Has(b.Site.Trunks()) {
		trunks := below(b.Site.Trunks(), values)
		for name := range maps.Clone(b.trunks) {
			if _, still := trunks[name]; !still {
				b.trunk(name, nil, false)
				b.missed++
			}
		}
		for name, value := range trunks {
			b.trunk(name, value, true)
		}
	}
	if r.Has(b.Site.Routers()) && !b.Site.NoRouters {
		b.routers.listed(below(b.Site.Routers(), values), b.CA)
		b.remotes.routed(b.routers.ports, b.routers.serving)
	}
	if r.Has(b.Site.Keys()) {
		b.taps.listed(below(key, values), b.open)
		for name := range b.others {
			if _, still := values[key+name]; !still {
				b.other(name, false)
			}
		}
		for name := range below(key, values) {
			b.other(name, true)
		}
	}
}

// written takes when a key was written.
func (b *Inbox) written(key string, at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name, ok := strings.CutPrefix(key, b.Site.Ports()); ok {
		name = portName(name)
		if c, ok := b.changed[name]; ok && c.there {
			c.at = at
			b.changed[name] = c
		}
	} else if name, ok := strings.CutPrefix(key, b.Site.Routers()); ok && !b.Site.NoRouters {
		if b.routers.puts[name] != at {
			b.routers.puts[name], b.routers.answer[name] = at, true
		}
	} else if name, ok := strings.CutPrefix(key, translate.Networks); ok {
		b.remotes.written(name, at)
	}
}

// below are the values whose keys begin so, by the rest of their keys.
func below(prefix string, values map[string][]byte) map[string][]byte {
	out := make(map[string][]byte, len(values))
	for k, v := range values {
		if name, ok := strings.CutPrefix(k, prefix); ok {
			out[name] = v
		}
	}
	return out
}

// Put takes the value of one key; it is there, or not.
func (b *Inbox) Put(key string, value []byte, there bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.HasPrefix(key, b.Site.Keys()) {
		b.Mine.Add(1)
	}
	if name, ok := strings.CutPrefix(key, b.Site.Ports()); ok {
		b.port(portName(name), value, there)
	} else if name, ok := strings.CutPrefix(key, b.Site.Trunks()); ok {
		b.trunk(name, value, there)
	} else if name, ok := strings.CutPrefix(key, b.Site.Routers()); ok && !b.Site.NoRouters {
		b.routers.put(name, value, b.CA, there)
		if !translate.IsFloatingIP(name) {
			b.remotes.routed(b.routers.ports, b.routers.serving)
		}
	} else if name, ok := strings.CutPrefix(key, translate.Groups); ok {
		b.group(name, value, there)
	} else if name, ok := strings.CutPrefix(key, translate.Members); ok {
		group, port := translate.MemberOf(name)
		b.groups.member(group, port, value, there)
	} else if name, ok := strings.CutPrefix(key, translate.Networks); ok {
		b.remotes.put(name, value, there)
	} else if isElsewhere(key) {
		b.taps.heard(key, value, there)
	} else if name, ok := strings.CutPrefix(key, b.Site.Keys()); ok && IsTap(name) {
		b.taps.put(name, value, there, b.open)
	} else if name, ok := strings.CutPrefix(key, b.Site.Keys()); ok {
		b.other(name, there)
	}
}

// open proves whose a value is, of a key by its name below Site.Keys.
func (b *Inbox) open(name string, value []byte) ([]byte, error) {
	return b.CA.Open(b.Site.Keys()+name, value)
}

func (b *Inbox) group(name string, value []byte, there bool) {
	value, err := b.CA.Open(translate.Groups+name, value)
	b.groups.put(name, value, err, there)
}

// other takes a key of a family that is not served.
func (b *Inbox) other(name string, there bool) {
	family, _, named := strings.Cut(name, "/")
	served := named && (family == "ports" || family == "routers" && !b.Site.NoRouters || family == "trunks") || IsTap(name)
	if served || name == translate.Asked || b.others[name] == there {
		return
	}
	b.stirred[name] = true
	if b.others[name] = there; !there {
		delete(b.others, name)
	}
}

// before is what a port's key was before what is told now.
func (b *Inbox) before(name string) change {
	before, ok := b.changed[name]
	if !ok {
		before.port, before.there = b.ports[name]
	}
	return before
}

// portName is the name here of a port's key: one that is called as a subport is none, and no UUID either.
func portName(name string) string {
	if _, sub := ParentOf(name); sub || strings.HasPrefix(name, "./") {
		return "./" + name
	}
	return name
}

func (b *Inbox) port(name string, value []byte, there bool) {
	before := b.before(name)
	now := change{there: there}
	if there {
		value, err := b.CA.Open(b.Site.Ports()+name, value)
		switch {
		case err == nil:
			now.port, now.wrong = b.Site.Port(name, value)
		case before.there && before.wrong == nil:
			now.port = before.port
			now.port.Lacks = err
		default:
			now.wrong = err
		}
	}
	b.become(name, now)
}

// become notes what a port is from now on, and with it the subports of its trunk.
func (b *Inbox) become(name string, now change) {
	before := b.before(name)
	if now.wrong != nil {
		now.port = translate.Port{} // it is in no group
	}
	b.groups.use(name, now.port.Groups, before.port.Groups)
	at, overlaid := now.port.Place()
	b.remotes.move(OfPort(name), place{at, true}, overlaid)
	b.turns++
	now.turn = b.turns
	b.changed[name] = now
	if _, ok := b.trunks[name]; ok {
		b.graft(name)
	}
}
