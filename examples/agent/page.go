// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/wants"
)

// Status is what the agent says of itself, at /statusz.
type Status struct {
	Host      string     `json:"host"`
	VPP       string     `json:"vpp,omitempty"`             // "": not connected
	Lacks     []string   `json:"vpp_lacks,omitempty"`       // why VPP cannot be used for which kinds
	Etcd      string     `json:"etcd_error,omitempty"`      // "": heard
	Converged *time.Time `json:"converged_since,omitempty"` // nil: it is not
	Held      *Held      `json:"held_back,omitempty"`       // nil: nothing

	Conditions map[string]Condition `json:"conditions,omitempty"` // what is amiss with the host as a whole

	Uplinks  []PortLine   `json:"uplinks"` // the physical networks; Network is VPP's interface
	Ports    []PortLine   `json:"ports"`
	Routers  []PortLine   `json:"routers"`            // their interfaces, and floating IPs
	Unserved []PortLine   `json:"unserved,omitempty"` // keys of families that this agent does not serve
	Objects  []ObjectLine `json:"objects"`
}

// Held is what is not removed before somebody confirms it by its token.
type Held struct {
	Token string    `json:"token"`
	Since time.Time `json:"since"`
	Error string    `json:"error"`
	Keys  []string  `json:"keys"`
}

// PortLine is one key of a port, of a router or of a floating IP.
type PortLine struct {
	Name    string             `json:"name"`
	Network string             `json:"network,omitempty"`
	State   desiredstate.State `json:"state"`
	Error   string             `json:"error,omitempty"`
}

// ObjectLine is one object, wanted or on its way out.
type ObjectLine struct {
	Key string `json:"key"`
	desiredstate.Status
}

// MarshalJSON adds the key to the status, which marshals itself.
func (o ObjectLine) MarshalJSON() ([]byte, error) {
	status, err := json.Marshal(o.Status)
	if err != nil {
		return nil, err
	}
	key, err := json.Marshal(o.Key)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"key":%s,%s`, key, status[1:]), nil
}

func (a *agent) status() Status {
	s := Status{Host: a.site.Host, Ports: []PortLine{}, Routers: []PortLine{}, Objects: []ObjectLine{}}
	if v := a.connected.Load(); v != nil {
		s.VPP, s.Lacks = v.String(), v.lacks
	}
	if why := a.etcdLost.Load(); why != nil {
		s.Etcd = *why
	}
	if since, ok := a.store.Converged(); ok {
		s.Converged = &since
	}
	s.Conditions = a.look()
	if h, ok := a.store.Held(); ok {
		s.Held = &Held{h.Token, h.Since, h.Err.Error(), nil}
		for _, k := range h.Keys {
			s.Held.Keys = append(s.Held.Keys, k.String())
		}
	}
	for _, physnet := range a.site.PhysnetNames() {
		line := PortLine{Name: physnet, Network: a.site.Physnets[physnet], State: desiredstate.Pending}
		if status, ok := a.store.Source(wants.OfUplink(physnet)); ok {
			if line.State = status.State; status.Err != nil {
				line.Error = status.Err.Error()
			}
		}
		s.Uplinks = append(s.Uplinks, line)
	}
	s.Ports = append(s.Ports, a.portLines()...)
	s.Routers = append(s.Routers, routeLines(a.inbox)...)
	for _, name := range a.inbox.UnservedNames() {
		if err := a.inbox.Unserved(name); err != nil {
			s.Unserved = append(s.Unserved, PortLine{Name: pathSegments(name), State: desiredstate.Invalid, Error: err.Error()})
		}
	}
	for key, status := range a.store.Statuses() {
		s.Objects = append(s.Objects, ObjectLine{key.String(), status})
	}
	return s
}

// portLines are the keys of ports, as the status page shows them.
func (a *agent) portLines() (out []PortLine) {
	names, _ := a.inbox.Names()
	slices.Sort(names)
	for _, name := range names {
		p, known, wrong := a.inbox.Look(name)
		line := PortLine{Name: segment(name), State: desiredstate.Invalid}
		switch status, _ := a.store.Source(wants.OfPort(name)); {
		case wrong != nil:
			line.Error = wrong.Error()
		case known:
			line.Network, line.State, line.Error = p.Network(), status.State, a.announcer.why(p, status)
		default:
			continue // deleted meanwhile
		}
		out = append(out, line)
	}
	return out
}

// errRunning: two agents of one host would undo each other's work.
var errRunning = errors.New("another agent runs here")

// listen takes the socket of the status page from an agent that died, not from
// one that lives.
func listen(path string) (net.Listener, error) {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("%s: %w", path, errRunning)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		_ = os.Remove(path)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600) // before anybody is heard
}

// ready says whether the host may get new ports, and what is amiss all the same.
func (a *agent) ready() (ready bool, amiss []string) {
	now := a.look()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		amiss = append(amiss, now[name].Error)
	}
	return a.connected.Load() != nil && a.etcdLost.Load() == nil, amiss
}

// routeLines are the keys of routers, as the status page shows them.
func routeLines(b *wants.Inbox) (out []PortLine) {
	parts := b.Routing().Parts
	for _, name := range b.Routes() {
		state, err, known := b.Route(name)
		if !known {
			continue
		}
		line := PortLine{Name: pathSegments(name), State: state, Network: parts[name].Network}
		if err != nil {
			line.Error = err.Error()
		}
		out = append(out, line)
	}
	return out
}
