// SPDX-License-Identifier: Apache-2.0

package linuxcp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lcp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// Pair is an interface and its twin in Linux.
type Pair struct {
	Interface string

	// Parent is the interface whose sub-interface it is, if it is one: that one has a Pair, too, and
	// the twin is a VLAN of its twin. A sub-interface of ours has to be Pairable.
	Parent string

	// Outer is, of a sub-interface with two tags, that of the same parent with the outer one alone: it has a
	// Pair, too, and the twin is a VLAN of its twin. Set both: Linux removes a VLAN with what it is of, which VPP
	// does not notice, and where one is open no order is kept.
	Outer string

	// Device is Linux' name of the twin, at most 15 bytes. Of a sub-interface VPP takes a device that Linux has by that
	// name already, whosesoever, and removes it with the Pair: choose one that nobody else does.
	Device string
	Netns  string // the network namespace that it is in, at most 30 bytes; "": as the Namespace was when it was made
	TUN    bool   // packets of IP alone; else Ethernet, if the interface is
}

// PairKey is the key of an interface's Pair.
func PairKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "linux-cp", Name: iface}
}

// Key is PairKey(p.Interface).
func (p Pair) Key() desiredstate.Key { return PairKey(p.Interface) }

// Deps lists the interface and, of a sub-interface, the Pairs of its parent and of Outer.
func (p Pair) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{vppnet.InterfaceKey(p.Interface)}
	for _, below := range []string{p.Parent, p.Outer} {
		if below != "" {
			deps = append(deps, PairKey(below))
		}
	}
	return deps
}

// Validate checks the names.
func (p Pair) Validate() error {
	if err := vppnet.CheckRef("interface", p.Interface); err != nil {
		return err
	}
	if p.Parent != "" {
		if err := vppnet.CheckRef("parent", p.Parent); err != nil {
			return err
		}
	}
	if p.Outer != "" {
		if err := vppnet.CheckRef("outer", p.Outer); err != nil {
			return err
		}
	}
	most := 15
	if p.TUN {
		most = 14 // with more, VPP says of it that it is none
	}
	switch {
	case p.Outer == p.Interface:
		return errors.New("sub-interface is its own outer one")
	case p.Device == "" || len(p.Device) > most:
		return fmt.Errorf("device %q of %d bytes, want 1 to %d", p.Device, len(p.Device), most)
	case p.Device == "." || p.Device == ".." || p.Device == "all" || p.Device == "default":
		return fmt.Errorf("device %q: Linux has no device of this name", p.Device)
	case strings.ContainsFunc(p.Device, unfit):
		return fmt.Errorf("device %q: want letters, digits, and any of -_.@", p.Device)
	}
	return checkNetns(p.Netns)
}

func unfit(r rune) bool {
	return !strings.ContainsRune("-_@.", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// checkNetns has one byte less than VPP takes: it writes another one behind those. What begins with
// "pid:" VPP takes for a process's.
func checkNetns(name string) error {
	if len(name) > 30 || strings.ContainsAny(name, "/\x00") || name == "." || name == ".." || strings.HasPrefix(name, "pid:") || !utf8.ValidString(name) {
		return fmt.Errorf("network namespace %q of %d bytes: want the name of one in /var/run/netns, of at most 30", name, len(name))
	}
	return nil
}

func (p Pair) message(id uint32, add bool) *lcp.LcpItfPairAddDelV3 {
	q := &lcp.LcpItfPairAddDelV3{IsAdd: add, SwIfIndex: interface_types.InterfaceIndex(id), HostIfName: p.Device, Netns: p.Netns}
	if p.TUN {
		q.HostIfType = lcp.LCP_API_ITF_HOST_TUN
	}
	return q
}

// vlan is what one parent has only once.
type vlan struct {
	parent string
	tag    uint16
	dot1ad bool
}

func outerOf(i vppnet.Interface) vlan { return vlan{i.Parent, i.Outer, i.Dot1ad} }

// Pairs manages the twins of our interfaces, and of those that are claimed
// (lcp_itf_pair_add_del_v3, lcp_itf_pair_get). All changes replace. VPP has another interface for each, by which
// it reaches the twin, tap4096 and so on: it is nobody's, goes with the Pair, and its link is
// VPP's business. When the interface goes, so does its twin.
func Pairs(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Pair] {
	vpp := lcp.NewServiceClient(c)
	return iface.On(c, claims, &desiredstate.Kind[Pair]{
		Name:     "linux-cp",
		Messages: c.Uses(&lcp.LcpItfPairAddDelV3{}, &lcp.LcpItfPairGet{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Pair], err error) {
			all, err := shared.Pages(func(cursor uint32) (func() (*lcp.LcpItfPairDetails, *lcp.LcpItfPairGetReply, error), error) {
				stream, err := vpp.LcpItfPairGet(ctx, &lcp.LcpItfPairGet{Cursor: cursor})
				if err != nil {
					return nil, err
				}
				return stream.Recv, nil
			}, func(r *lcp.LcpItfPairGetReply) uint32 { return r.Cursor })
			outer := map[vlan]string{} // those that have a Pair
			for _, d := range all {
				if i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.PhySwIfIndex)); ok && i.Spec.Tags == 1 {
					outer[outerOf(i.Spec)] = i.Spec.Name
				}
			}
			for _, d := range all {
				i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.PhySwIfIndex))
				if !ok {
					continue
				}
				p := Pair{Interface: i.Spec.Name, Parent: i.Spec.Parent, Device: d.HostIfName, Netns: d.Netns, TUN: d.HostIfType == lcp.LCP_API_ITF_HOST_TUN}
				if i.Spec.Tags == 2 {
					p.Outer = outer[outerOf(i.Spec)]
				}
				out = append(out, desiredstate.Actual[Pair]{ID: i.ID, Foreign: !iface.Scope(claims).Has(i), Spec: p})
			}
			return out, err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Pair]) error {
			_, err := vpp.LcpItfPairAddDelV3(ctx, have.Spec.message(have.ID, false))
			return vppnet.Gone(err, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[Pair], want Pair) Pair {
			if want.Netns == "" {
				want.Netns = have.Spec.Netns
			}
			if want.Parent == "" {
				want.Parent = have.Spec.Parent
			}
			if want.Outer == "" {
				want.Outer = have.Spec.Outer
			}
			return want
		},
		Holds: func(p Pair) []desiredstate.Key {
			return []desiredstate.Key{{Space: "linux-device", Name: p.Netns + " " + p.Device}}
		},
	}, func(ctx context.Context, _ *desiredstate.View, id uint32, p Pair) error {
		_, err := vpp.LcpItfPairAddDelV3(ctx, p.message(id, true))
		switch {
		case errors.Is(err, api.INVALID_SW_IF_INDEX) && p.Parent == "":
			return fmt.Errorf("has it a parent? That one needs a Pair before: name it as Parent: %w", err)
		case errors.Is(err, api.INVALID_ARGUMENT):
			return fmt.Errorf("a sub-interface needs exact tags, one to be Pairable, two a Pair of that with the outer one, named as Outer; and what is not Ethernet TUN: %w", err)
		case errors.Is(err, api.FEATURE_DISABLED):
			return fmt.Errorf("twins are TAPs, for which VPP from 26.06 on needs its plugin tap: load it: %w", err)
		case errors.Is(err, api.SYSCALL_ERROR_1):
			return fmt.Errorf("this Linux has no /dev/vhost-net, which twins need (modprobe vhost_net): %w", err)
		case errors.Is(err, api.SYSCALL_ERROR_2):
			return fmt.Errorf("no network namespace %q in Linux: make it (ip netns add): %w", p.Netns, err)
		case errors.Is(err, api.SYSCALL_ERROR_3):
			return fmt.Errorf("no device %q in Linux, which has one of that name: take another: %w", p.Device, err)
		}
		return err
	})
}
