// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vppkit/vppkit/acl"
)

// Anywhere is a host of that name that has every physical network and an underlay: what a host
// can be asked for by someone who does not know how it is made.
func Anywhere(host string) Site {
	s := Site{Host: host, Dir: "/run", anywhere: true}
	s.Overlay = GPE{s.Underlay("", netip.MustParsePrefix("192.0.2.1/32"))}
	return s
}

// Check reads a key that a controller writes, and its value, as the host that it is for would.
// The error says all that it would refuse or leave out, but for what depends on how that
// host is made, and on other keys.
func Check(key, value string) error {
	err := check(key, []byte(value))
	if err != nil {
		return fmt.Errorf("%.200s: %w", key, err)
	}
	return nil
}

func check(key string, value []byte) error {
	if name, ok := strings.CutPrefix(key, Groups); ok {
		g, err := Group(name, value)
		if err != nil {
			return err
		}
		_, _, err = g.Sets(acl.Members{})
		return err
	}
	if name, ok := strings.CutPrefix(key, Members); ok {
		if g, p := MemberOf(name); !uuid.MatchString(g) || !uuid.MatchString(p) {
			return errors.New("the key's name is not that of a group and a port, UUID/UUID")
		}
		_, err := Member(value)
		return err
	}
	if name, ok := strings.CutPrefix(key, Networks); ok {
		_, err := Site{}.Sighting(name, value)
		return err
	}
	rest, ok := strings.CutPrefix(key, Root+"nodes/")
	host, name, _ := strings.Cut(rest, "/")
	if !ok || !plain(host) {
		return errors.New("not a key that hosts read")
	}
	s := Anywhere(host)
	if name, ok := strings.CutPrefix(key, s.Ports()); ok {
		p, err := s.Port(name, value)
		return errors.Join(err, p.Lacks)
	}
	if name, ok := strings.CutPrefix(key, s.Trunks()); ok {
		t, err := s.Trunk(name, value)
		return errors.Join(err, t.Lacks)
	}
	if name, ok := strings.CutPrefix(key, s.Routers()); ok {
		switch {
		case name == HAKey:
			_, err := Serves(value)
			return err
		case IsFloatingIP(name):
			_, err := s.FloatingIP(name, value)
			return err
		}
		p, err := s.RouterPort(name, value)
		return errors.Join(err, p.left())
	}
	if name, ok := strings.CutPrefix(name, TapServices); ok {
		_, err := s.TapService(name, value)
		return err
	}
	if name, ok := strings.CutPrefix(name, TapFlows); ok {
		_, err := s.TapFlow(name, value)
		return err
	}
	return fmt.Errorf("hosts serve no %.40q", name)
}

// IsRead says whether a key is one that hosts read, whatever its value.
func IsRead(key string) bool {
	for _, tree := range []string{Groups, Members, Networks} {
		if name, ok := strings.CutPrefix(key, tree); ok {
			return name != ""
		}
	}
	rest, ok := strings.CutPrefix(key, Root+"nodes/")
	host, name, _ := strings.Cut(rest, "/")
	return ok && plain(host) && name != ""
}
