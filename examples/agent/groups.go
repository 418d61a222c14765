// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// groups are the security groups that ports of this host are in, and the members
// of those to which their rules refer. Of no other group is anything read.
//
// What cannot be read changes no rules: a group whose key is junk, or gone, stands
// as it last could be read, and one that never could be read has no sets, so its
// ports do not come up. A member that cannot be read has no address, so less
// passes.
type groups struct {
	follow, unfollow func(follow.Range)

	all     map[string]*group
	remotes map[string]*remote
	changed map[string]bool // groups of which that is to be told
}

// group is a security group that some port is in.
type group struct {
	ports map[string]bool
	last  acl.SecurityGroup // as its key could last be read
	read  bool              // it could
	wrong error             // with the key as it is now
	sets  []desiredstate.Object
	unfit error // why there are no sets of it as it is now
}

// remote is a group to which rules of others refer.
type remote struct {
	groups  map[string]bool
	members map[string]member // by port
}

type member struct {
	addrs []netip.Addr
	wrong error
}

func newGroups() *groups {
	return &groups{
		follow: func(follow.Range) {}, unfollow: func(follow.Range) {},
		all: map[string]*group{}, remotes: map[string]*remote{}, changed: map[string]bool{},
	}
}

// use says which groups a port is in from now on. What it still uses is never
// let go meanwhile.
func (g *groups) use(port string, now, before []string) {
	for _, name := range now {
		if g.all[name] == nil {
			g.all[name] = &group{ports: map[string]bool{}, wrong: errNoKey}
			g.changed[name] = true
			g.follow(follow.Range(translate.Groups + name))
		}
		g.all[name].ports[port] = true
	}
	for _, name := range before {
		x := g.all[name]
		if x == nil || slices.Contains(now, name) {
			continue
		}
		if delete(x.ports, port); len(x.ports) == 0 {
			g.refer(name, nil, x.last.Remotes())
			delete(g.all, name)
			g.changed[name] = true
			g.unfollow(follow.Range(translate.Groups + name))
		}
	}
}

// refer says to which groups the rules of one refer from now on.
func (g *groups) refer(name string, now, before []string) {
	for _, to := range now {
		if g.remotes[to] == nil {
			g.remotes[to] = &remote{groups: map[string]bool{}, members: map[string]member{}}
			g.follow(membersOf(to))
		}
		g.remotes[to].groups[name] = true
	}
	for _, to := range before {
		x := g.remotes[to]
		if x == nil || slices.Contains(now, to) {
			continue
		}
		if delete(x.groups, name); len(x.groups) == 0 {
			delete(g.remotes, to)
			g.unfollow(membersOf(to))
		}
	}
}

func membersOf(group string) follow.Range { return follow.Range(translate.Members + group + "/") }

var errNoKey = errors.New("there is no such key in etcd")

// put takes the value of a group's key; it is there, or not.
func (g *groups) put(name string, value []byte, there bool) {
	x := g.all[name]
	if x == nil {
		return
	}
	g.changed[name] = true
	now, err := acl.SecurityGroup{}, errNoKey
	if there {
		now, err = translate.Group(name, value)
	}
	if x.wrong = err; err == nil {
		g.refer(name, now.Remotes(), x.last.Remotes())
		x.last, x.read = now, true
	}
}

// member takes the value of a member's key; it is there, or not.
func (g *groups) member(name, port string, value []byte, there bool) {
	x := g.remotes[name]
	if x == nil || port == "" {
		return
	}
	delete(x.members, port)
	if there {
		addrs, err := translate.Member(value)
		x.members[port] = member{addrs, err}
	}
	g.touch(x)
}

// listed takes all members of a group.
func (g *groups) listed(name string, values map[string][]byte) {
	if x := g.remotes[name]; x != nil {
		clear(x.members)
		g.touch(x)
		for port, value := range values {
			g.member(name, port, value, true)
		}
	}
}

func (g *groups) touch(x *remote) {
	for name := range x.groups {
		g.changed[name] = true
	}
}

// make makes the sets of a group anew, of what is known by now.
func (g *groups) make(x *group) {
	if !x.read {
		return
	}
	members := acl.Members{}
	for _, to := range x.last.Remotes() {
		for _, port := range slices.Sorted(maps.Keys(g.remotes[to].members)) {
			members[to] = append(members[to], g.remotes[to].members[port].addrs...)
		}
	}
	sets, err := translate.GroupObjects(x.last, members)
	if x.unfit = err; err == nil {
		x.sets = sets
	}
}

// trouble says what is wrong with a group, or with what its rules refer to.
func (g *groups) trouble(name string) error {
	x := g.all[name]
	if x == nil {
		return nil
	}
	stands := ""
	if x.sets != nil {
		stands = "; its last rules stand"
	}
	for _, err := range []error{x.wrong, x.unfit} {
		if err != nil {
			return fmt.Errorf("security group %s: %w%s", name, err, stands)
		}
	}
	for _, to := range x.last.Remotes() {
		members := g.remotes[to].members
		for _, port := range slices.Sorted(maps.Keys(members)) {
			if err := members[port].wrong; err != nil {
				return fmt.Errorf("security group %s: member %.40q of %s: %w; it has no address", name, port, to, err)
			}
		}
	}
	return nil
}
