// SPDX-License-Identifier: Apache-2.0

// Package controller writes what hosts shall be, for their agents to read: typed values for
// each family of keys, and a Journal by which nothing is lost that was accepted, and nothing
// comes twice, whoever dies.
//
//	j, err := controller.Open("/var/lib/cloud/journal", client, controller.Options{})
//	go j.Run(ctx)
//	seq, err := j.Accept(ctx, "row 17", controller.Host("compute-1").Port(port))
//	revision, err := j.Written(ctx, seq)
//	err = controller.Applied(ctx, client, "compute-1", revision)
package controller

import (
	"errors"
	"fmt"
	"net/netip"
	"unicode/utf8"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// Change is a key as it shall be.
type Change struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"` // "": there shall be none
}

// Gone is the change by which there is no such key any more.
func (c Change) Gone() Change { return Change{Key: c.Key} }

// Check says what the agent that reads the key would refuse of it, or leave out.
func (c Change) Check() error {
	if c.Value != "" {
		return translate.Check(c.Key, c.Value)
	}
	if !translate.IsRead(c.Key) {
		return fmt.Errorf("%.200q: not a key that hosts read", c.Key)
	}
	return nil
}

// Host is the name of a host, whose keys these are.
type Host string

func (h Host) site() translate.Site { return translate.Site{Host: string(h)} }

// Port is a port of the host, by its exported fields but Uplink and Lacks.
func (h Host) Port(p translate.Port) Change { return Change{h.site().Ports() + p.UUID, p.Value()} }

// Trunk is a trunk of the host, whose subports have a VLAN each.
func (h Host) Trunk(t translate.Trunk) Change { return Change{h.site().Trunks() + t.Parent, t.Value()} }

// RouterPort is an interface of a router on the host.
func (h Host) RouterPort(p translate.RouterPort) Change {
	return Change{h.site().Routers() + p.Name(), p.Value()}
}

// FloatingIP is a floating IP on the host.
func (h Host) FloatingIP(f translate.FloatingIP) Change {
	return Change{h.site().Routers() + f.Name(), f.Value()}
}

// Serves says whether the host serves its routers, if it is told by a key (--ha key).
func (h Host) Serves(serves bool) Change {
	return Change{h.site().Routers() + translate.HAKey, translate.ServesValue(serves)}
}

// Group is a security group, of all hosts.
func Group(g acl.SecurityGroup) Change {
	return Change{translate.Groups + g.Name, translate.GroupValue(g)}
}

// Member says which addresses a port has in a group, whose rules other groups refer to.
func Member(group, port string, addrs ...netip.Addr) Change {
	return Change{translate.Members + group + "/" + port, translate.MemberValue(addrs...)}
}

// Sighting says who is behind a host that has no agent of this make.
func Sighting(g translate.Sighting) Change {
	return Change{translate.Networks + g.Name(), g.Value()}
}

// What an entry can hold, well below the limits that an etcd has by default: 128 operations
// and 1.5 MiB a transaction.
const (
	mostChanges = 100
	mostBytes   = 1 << 20
)

// ErrRefused: the entry is none that could be served, and was not accepted.
var ErrRefused = errors.New("refused")

// check refuses what an etcd or an agent would.
func check(changes []Change) error {
	var errs []error
	keys, bytes := map[string]bool{}, 0
	for _, c := range changes {
		if keys[c.Key] {
			errs = append(errs, fmt.Errorf("%.200s: twice in one entry", c.Key))
		}
		keys[c.Key] = true
		bytes += len(c.Key) + len(c.Value)
		if !utf8.ValidString(c.Key) {
			errs = append(errs, fmt.Errorf("%.200q: not UTF-8", c.Key))
		}
		if !utf8.ValidString(c.Value) { // the file would hold another
			errs = append(errs, fmt.Errorf("%.200q: its value is not UTF-8", c.Key))
		}
		errs = append(errs, c.Check())
	}
	if n := len(changes); n == 0 || n > mostChanges {
		errs = append(errs, fmt.Errorf("%d changes, want 1 to %d in an entry", n, mostChanges))
	}
	if bytes > mostBytes {
		errs = append(errs, fmt.Errorf("%d bytes, want at most %d in an entry", bytes, mostBytes))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}
