// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// What an inbox knows, for those who announce it.

// Look says what the key with this name means.
func (b *Inbox) Look(name string) (p translate.Port, known bool, wrong error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, known = b.ports[name]
	return p, known, b.wrong[name]
}

// LastPut says when the key of a port was last put, a revision of etcd.
func (b *Inbox) LastPut(name string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.puts[name]
}

// Claimed says whether another host says that it has a member that is here.
func (b *Inbox) Claimed(at translate.Place) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.remotes.nets[at.VNI]
	return x != nil && x.claimed[at.MAC]
}

// SaidElsewhere is when another host said last that it has this MAC, or this address; 0: none does.
func (b *Inbox) SaidElsewhere(g translate.Sighting) (at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if x := b.remotes.nets[g.VNI]; x != nil {
		for _, other := range x.said {
			if other.Host != g.Host && (other.MAC == g.MAC || other.Addr == g.Addr) {
				at = max(at, other.Revision)
			}
		}
	}
	return at
}

// Served is what stands in etcd of a key of a router that is served; false: it is not.
func (b *Inbox) Served(name string) (value string, at int64, yes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, yes = b.routers.served(name)
	return fmt.Sprintf(`{"revision":%d,"active":%t}`, at, b.routers.serving), at, yes
}

// Unserved says why nothing comes of a key, if it is there; nil if it is not.
func (b *Inbox) Unserved(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name, ok := strings.CutPrefix(name, networks); ok {
		return b.remotes.wrong[name]
	}
	if parent, ok := strings.CutPrefix(name, Trunks); ok {
		return b.trunks[parent].wrong()
	}
	if IsTap(name) {
		return b.taps.errors()[name]
	}
	if !b.others[name] {
		return nil
	}
	if family, id, _ := strings.Cut(name, "/"); family != "" && id != "" {
		if family == "routers" {
			family += ": it runs with --no-routers"
		}
		return fmt.Errorf("this agent serves no %s", family)
	}
	return errors.New("this agent serves no key of such a name: a host's are FAMILY/ID")
}

// UnservedNames lists the keys of families that are not served.
func (b *Inbox) UnservedNames() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := slices.Collect(maps.Keys(b.others))
	for name := range b.remotes.wrong {
		out = append(out, networks+name)
	}
	out = slices.AppendSeq(out, maps.Keys(b.taps.errors()))
	for parent, t := range b.trunks {
		if t.wrong() != nil {
			out = append(out, Trunks+parent)
		}
	}
	slices.Sort(out)
	return out
}

// Trouble says what is wrong with the groups of a port.
func (b *Inbox) Trouble(p translate.Port) (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range p.Groups {
		if said := b.said[name]; said != "" {
			out = append(out, said)
		}
	}
	return out
}

// InGroup lists the ports that are in a group.
func (b *Inbox) InGroup(group string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if x := b.groups.all[group]; x != nil {
		return slices.Collect(maps.Keys(x.ports))
	}
	return nil
}

// Complete says whether there has been a list of all keys.
func (b *Inbox) Complete() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loaded
}

// Names lists all keys, and says whether there has been a list of them.
func (b *Inbox) Names() ([]string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known(), b.loaded
}

func (b *Inbox) known() []string {
	out := slices.Collect(maps.Keys(b.ports))
	return slices.AppendSeq(out, maps.Keys(b.wrong))
}

// Find is the port whose UUID is, or begins, so.
func (b *Inbox) Find(begins string) (translate.Port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []string
	var port translate.Port
	for _, p := range b.ports {
		if strings.HasPrefix(p.UUID, begins) {
			port, found = p, append(found, p.UUID)
		}
		if p.UUID == begins {
			return p, nil
		}
	}
	switch len(found) {
	case 0:
		return port, fmt.Errorf("%w: no port %.80q is served here", desiredstate.ErrMissing, begins)
	case 1:
		return port, nil
	}
	slices.Sort(found)
	return port, fmt.Errorf("%.80q is how several ports begin: %s", begins, strings.Join(found[:min(len(found), 8)], ", "))
}

// Wires are those of the TAP ports that are wanted, by port.
func (b *Inbox) Wires() map[string]translate.Wire {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]translate.Wire{}
	for name, p := range b.ports {
		if w, ok := p.Wire(); ok {
			out[name] = w
		}
	}
	return out
}

// GroupTroubles are what is wrong with groups, by their names.
func (b *Inbox) GroupTroubles() (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.said)) {
		out = append(out, b.said[name])
	}
	return out
}
