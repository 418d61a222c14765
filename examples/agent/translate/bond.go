// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Bond is an uplink that the agent makes of several interfaces of VPP's.
type Bond struct {
	Mode    bond.Mode // 0: LACP
	Members []string  // VPP's names
}

// ParseBond reads "NAME=INTERFACE,INTERFACE,mode=lacp".
func ParseBond(text string) (name string, b Bond, err error) {
	name, list, _ := strings.Cut(text, "=")
	for _, part := range strings.Split(list, ",") {
		if mode, ok := strings.CutPrefix(part, "mode="); ok {
			err = errors.Join(err, b.Mode.UnmarshalText([]byte(mode)))
		} else {
			b.Members = append(b.Members, part)
		}
	}
	return name, b, err
}

// objects are the bond and its members, all of them up, but for the link of the bond itself. By its
// MAC, LACP and an underlay tell hosts apart that call their bonds the same.
func (b Bond) objects(host, name string) []desiredstate.Object {
	mode := b.Mode
	if mode == 0 {
		mode = bond.LACP
	}
	objs := []desiredstate.Object{bond.Bond{Name: name, Mode: mode, MAC: macOf(host, name)}}
	for _, m := range b.Members {
		m = vppnet.Foreign(m)
		objs = append(objs, bond.Member{Bond: name, Interface: m}, vppnet.LinkState{Interface: m, Up: true})
	}
	return objs
}

// members are a bond's objects, nil of what is none.
func (s Site) members(name string) []desiredstate.Object {
	b := s.Bonds[name]
	if len(b.Members) == 0 {
		return nil
	}
	return b.objects(s.Host, name)
}

// validateBonds reports what no bond could be made of.
func (s Site) validateBonds() error {
	var errs []error
	taken := map[string]string{}
	for name, b := range s.Bonds {
		used := false
		for _, uplink := range s.Physnets {
			used = used || uplink == name
			if slices.Contains(b.Members, uplink) {
				errs = append(errs, fmt.Errorf("bond %q: %s is a physical network's interface by itself", name, uplink))
			}
		}
		if !used {
			errs = append(errs, fmt.Errorf("bond %q: no physical network is on it", name))
		}
		for _, m := range b.Members {
			if other, dup := taken[m]; dup {
				errs = append(errs, fmt.Errorf("bond %q: %s is a member of %q already", name, m, other))
			}
			taken[m] = name
		}
		for _, o := range b.objects(s.Host, name) {
			if err := o.Validate(); err != nil {
				errs = append(errs, fmt.Errorf("bond %q: %w", name, err))
			}
		}
	}
	for physnet := range s.MTU {
		if s.Physnets[physnet] == "" {
			errs = append(errs, fmt.Errorf("MTU of physical network %q, which this host has not", physnet))
		} else if err := s.up(physnet).Validate(); err != nil {
			errs = append(errs, fmt.Errorf("physical network %q: %w", physnet, err))
		}
	}
	return errors.Join(errs...)
}
