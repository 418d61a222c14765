// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// groups are the security groups that ports of this host are in, and the members
// of those to which their rules refer. Of no other group is anything read.
//
// What cannot be read permits nothing: neither a rule, nor a member's address, nor a
// whole value that is junk. The rest is in force, and what is left out is said. A group
// whose key is gone stands as it was: a group that is in use is not deleted, so something
// else is wrong. One whose key was never there has no sets, so its ports do not come up.
type groups struct {
	follow, unfollow func(follow.Range)

	all     map[string]*group
	remotes map[string]*remote
	changed map[string]bool // groups of which that is to be told
	late    map[string]bool // of these, those that take too long to be waited for
	made    map[string]bool // of these, those that are done
	read    map[string]bool // whose long values were read, and members are not known yet

	inLine int // values that are longer are read beside all else, as their sets are made

	held map[string][]desiredstate.Object // the sets that VPP had when this agent came
}

// group is a security group that some port is in.
type group struct {
	ports map[string]bool
	last  acl.SecurityGroup // what of its key, when it was last there, can be expressed
	read  bool              // it was
	wrong error             // with the key as it is now
	sets  []desiredstate.Object
	unfit error  // what is not in the sets
	turn  int    // counts changes
	text  []byte // its key, as long as nobody has read it
	heard *heardGroup
	junk  bool // its key is there, never was anything else, and what VPP holds may be better
}

// heardGroup is what a text says, as of a turn.
type heardGroup struct {
	acl.SecurityGroup
	wrong error
	turn  int
}

// remote is a group to which rules of others refer.
type remote struct {
	groups  map[string]bool
	members map[string]member // by port
	addrs   int               // of all of them
	listed  bool              // they were, once
}

type member struct {
	addrs []netip.Addr
	wrong error
}

func newGroups() *groups {
	return &groups{
		follow: func(follow.Range) {}, unfollow: func(follow.Range) {},
		all: map[string]*group{}, remotes: map[string]*remote{}, changed: map[string]bool{},
		late: map[string]bool{}, made: map[string]bool{}, read: map[string]bool{}, inLine: 32 << 10,
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

// put takes the value of a group's key, or why it cannot be had; it is there, or not.
func (g *groups) put(name string, value []byte, unread error, there bool) {
	x := g.all[name]
	if x == nil {
		return
	}
	x.turn++
	x.text, x.heard = nil, nil
	switch {
	case !there:
		g.changed[name] = true
		x.wrong = errNoKey
	case unread != nil:
		g.take(name, acl.SecurityGroup{Name: name}, unread)
	case len(value) > g.inLine && len(value) <= translate.Longest(translate.Groups+name):
		x.text = value
		g.late[name] = true
	default:
		now, wrong := translate.Group(name, value)
		g.take(name, now, wrong)
	}
}

// take takes what a group's key says, and what of it cannot be read.
func (g *groups) take(name string, now acl.SecurityGroup, wrong error) {
	x := g.all[name]
	g.changed[name] = true
	x.wrong = wrong
	if junk := len(now.Ingress)+len(now.Egress) == 0 && wrong != nil; junk && !x.read && (g.held == nil || g.held[name] != nil) {
		x.junk = true // what VPP holds is better than nothing
		return
	}
	x.junk = false
	g.refer(name, now.Remotes(), x.last.Remotes())
	x.last, x.read = now, true
}

// takeHeard takes what was read beside.
func (g *groups) takeHeard() {
	for name := range g.read {
		x := g.all[name]
		if x != nil && x.heard != nil && x.heard.turn == x.turn {
			heard := x.heard
			x.heard = nil
			g.take(name, heard.SecurityGroup, heard.wrong)
		}
		if x == nil || g.listedAll(x) {
			delete(g.read, name)
		} else {
			delete(g.changed, name) // a list of members changes it
		}
	}
}

// listedAll says whether the members are known to which the rules of a group refer.
func (g *groups) listedAll(x *group) bool {
	return !slices.ContainsFunc(x.last.Remotes(), func(to string) bool { return !g.remotes[to].listed })
}

// member takes the value of a member's key; it is there, or not.
func (g *groups) member(name, port string, value []byte, there bool) {
	x := g.remotes[name]
	if x == nil || port == "" {
		return
	}
	x.addrs -= len(x.members[port].addrs)
	delete(x.members, port)
	if there {
		addrs, err := translate.Member(value)
		x.members[port] = member{addrs, err}
		x.addrs += len(addrs)
	}
	g.touch(x)
}

// listed takes all members of a group.
func (g *groups) listed(name string, values map[string][]byte) {
	if x := g.remotes[name]; x != nil {
		clear(x.members)
		x.addrs, x.listed = 0, true
		g.touch(x)
		for port, value := range values {
			g.member(name, port, value, true)
		}
	}
}

func (g *groups) touch(x *remote) {
	for name := range x.groups {
		g.changed[name] = true
		g.all[name].turn++
	}
}

// recall takes the sets of groups that VPP has, for those of which nothing better is known.
func (g *groups) recall(found []desiredstate.Found) {
	g.held = map[string][]desiredstate.Object{}
	for _, f := range found {
		set, ok := f.Spec.(acl.Set)
		if !ok || f.Foreign {
			continue
		}
		name, _ := strings.CutPrefix(set.Name, "sg:")
		name, _, _ = strings.Cut(name, ".")
		if set.Name == acl.ToSet(name) || set.Name == acl.FromSet(name) {
			g.held[name] = append(g.held[name], f.Spec)
		}
	}
}

// unread are the groups that are as VPP has them from now on.
func (g *groups) unread() (out []string) {
	for name, x := range g.all {
		switch {
		case x.read || x.sets != nil || g.held == nil:
		case len(g.held[name]) == 2:
			x.sets = g.held[name]
			out = append(out, name)
		case x.junk: // and permits nothing
			x.last, x.read = acl.SecurityGroup{Name: name}, true
			x.sets, x.unfit = translate.GroupObjects(x.last, nil)
			out = append(out, name)
		}
	}
	return out
}

// members are those that the rules of a group refer to.
func (g *groups) members(x *group) acl.Members {
	members := acl.Members{}
	for _, to := range x.last.Remotes() {
		for _, port := range slices.Sorted(maps.Keys(g.remotes[to].members)) {
			members[to] = append(members[to], g.remotes[to].members[port].addrs...)
		}
	}
	return members
}

// trouble says what is wrong with a group, or with what its rules refer to.
func (g *groups) trouble(name string) error {
	x := g.all[name]
	if x == nil {
		return nil
	}
	if x.wrong != nil && !x.read && x.sets != nil {
		return fmt.Errorf("security group %s: %w; the rules that VPP has stand", name, x.wrong)
	} else if errors.Is(x.wrong, errNoKey) && x.sets != nil {
		return fmt.Errorf("security group %s: %w; its last rules stand", name, x.wrong)
	} else if errors.Is(x.wrong, errNoKey) {
		return fmt.Errorf("security group %s: %w", name, x.wrong)
	}
	var out []string
	for _, err := range []error{x.wrong, x.unfit} {
		if err != nil {
			out = append(out, err.Error())
		}
	}
	bad := 0
	for _, to := range x.last.Remotes() {
		members := g.remotes[to].members
		for _, port := range slices.Sorted(maps.Keys(members)) {
			if err := members[port].wrong; err == nil {
				continue
			} else if bad++; bad <= 8 {
				out = append(out, fmt.Sprintf("member %.40q of %s: %v", port, to, err))
			}
		}
	}
	if bad > 8 {
		out = append(out, fmt.Sprintf("and %d more members", bad-8))
	}
	if out == nil {
		return nil
	}
	return fmt.Errorf("security group %s: %s: that permits nothing", name, strings.Join(out, "; "))
}
