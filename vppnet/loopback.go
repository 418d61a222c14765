// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
)

// Loopback is an interface that ends in VPP itself: a router's own address, or
// the door of a bridge domain to L3.
type Loopback struct {
	Name string

	// Instance is the number in VPP's name for it, "loop7", 1 to 16383. 0: VPP
	// picks, so loop0 cannot be asked for. Number all loopbacks, or none: what
	// VPP picks may be what another one asks for.
	Instance uint32

	MAC MAC // zero: made of owner and name, see Conn.MAC

	// BVI makes it one that can only be the bridge virtual interface of a
	// bridge domain; VPP calls it "bvi7". Any Loopback can be a BVI, too.
	BVI bool
}

// Key is InterfaceKey(l.Name).
func (l Loopback) Key() desiredstate.Key { return InterfaceKey(l.Name) }

// Deps is empty.
func (l Loopback) Deps() []desiredstate.Key { return nil }

// Validate checks name, instance and MAC.
func (l Loopback) Validate() error {
	if err := CheckName(l.Name); err != nil {
		return err
	}
	if l.Instance > maxLoopback {
		return fmt.Errorf("instance %d, want at most %d", l.Instance, maxLoopback)
	}
	return l.MAC.CheckUnicast()
}

const maxLoopback = 16383

// Loopbacks manages loopbacks and BVIs (create_loopback_instance, bvi_create).
//
// What VPP sends by a loopback comes back in by it. So of two in one bridge domain each takes
// what the other one sends for the network's, and sends it on: packets multiply, VPP's own
// neighbour solicitations too, until VPP is busy with nothing else, or dies. A bridge domain
// wants one, as its BVI.
// The MAC changes in place, all else replaces.
func Loopbacks(c *Conn) *desiredstate.Kind[Loopback] {
	k := loopbacks{c, interfaces.NewServiceClient(c), l2.NewServiceClient(c)}
	kind := Tagged(c, &desiredstate.Kind[Loopback]{
		Name: "loopback",
		Messages: c.Uses(append(MACMessages(), &interfaces.CreateLoopbackInstance{}, &interfaces.DeleteLoopback{},
			&l2.BviCreate{}, &l2.BviDelete{})...),
		Dump: func(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[Loopback], err error) {
			for a := range desiredstate.All[Interface](v) {
				i := a.Spec
				if bvi := i.Device == deviceBVI; i.Parent == "" && (bvi || i.Device == deviceLoopback) {
					mac, hidden := i.OwnMAC()
					out = append(out, desiredstate.Actual[Loopback]{ID: a.ID, Covered: hidden, Spec: Loopback{
						Name: i.Name, Instance: instance(i.VPPName), MAC: mac, BVI: bvi,
					}})
				}
			}
			return out, nil
		},
		Create: func(ctx context.Context, _ *desiredstate.View, l Loopback) (uint32, error) {
			return k.create(ctx, l, c.MAC(l.Name))
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Loopback], want Loopback) error {
			return c.SetMAC(ctx, have.ID, c.pick(want.MAC, want.Name))
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Loopback]) error {
			return Gone(k.delete(ctx, have.ID, have.Spec.BVI), api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[Loopback], want Loopback) Loopback {
			if want.Instance == 0 {
				want.Instance = have.Spec.Instance
			}
			want.MAC = c.fillMAC(have.Spec.MAC, want.MAC, have.Covered, want.Name)
			return want
		},
		InPlace: func(have desiredstate.Actual[Loopback], want Loopback) bool {
			return have.Spec.Instance == want.Instance && have.Spec.BVI == want.BVI
		},
		Holds: func(l Loopback) []desiredstate.Key {
			if l.Instance == 0 {
				return nil
			}
			return []desiredstate.Key{{Space: l.device() + "-instance", Name: strconv.FormatUint(uint64(l.Instance), 10)}}
		},
	}, Orphan[Loopback]{
		Mark:   func(want Loopback) string { return c.MAC(want.Name).String() },
		Marked: func(found Loopback, _ Interface) (string, bool) { return found.MAC.String(), c.Signed(found.MAC) },
	})
	create := kind.Create
	kind.Create = func(ctx context.Context, v *desiredstate.View, l Loopback) (uint32, error) {
		id, err := create(ctx, v, l)
		if err == nil && !l.MAC.IsZero() { // it has its tag: the mark has done its work
			err = c.setMAC(ctx, id, l.MAC)
		}
		return id, err
	}
	return kind
}

const (
	deviceLoopback = "Loopback"
	deviceBVI      = "BVI"
)

func (l Loopback) device() string {
	if l.BVI {
		return deviceBVI
	}
	return deviceLoopback
}

type loopbacks struct {
	c   *Conn
	vpp interfaces.RPCService
	l2  l2.RPCService
}

func (k loopbacks) create(ctx context.Context, l Loopback, mac MAC) (uint32, error) {
	if l.BVI {
		req := &l2.BviCreate{Mac: ethernet_types.MacAddress(mac), UserInstance: ^uint32(0)}
		if l.Instance != 0 {
			req.UserInstance = l.Instance
		}
		r, err := k.l2.BviCreate(ctx, req)
		if err != nil {
			return 0, full(err, l)
		}
		return uint32(r.SwIfIndex), nil
	}
	r, err := k.vpp.CreateLoopbackInstance(ctx, &interfaces.CreateLoopbackInstance{
		MacAddress: ethernet_types.MacAddress(mac), IsSpecified: l.Instance != 0, UserInstance: l.Instance,
	})
	if err != nil {
		return 0, full(err, l)
	}
	return uint32(r.SwIfIndex), nil
}

// full says why VPP has no number for a loopback. One that it is to have is taken by one whose name
// does not tell its number, since somebody renamed it.
func full(err error, l Loopback) error {
	if l.Instance == 0 {
		return Full(err, api.INVALID_REGISTRATION, maxLoopback+1, "interfaces of the type "+l.device())
	}
	if errors.Is(err, api.INVALID_REGISTRATION) {
		err = fmt.Errorf("instance %d is taken: take another, or none: %w", l.Instance, err)
	}
	return err
}

func (k loopbacks) delete(ctx context.Context, id uint32, bvi bool) error {
	index := interface_types.InterfaceIndex(id)
	if bvi {
		_, err := k.l2.BviDelete(ctx, &l2.BviDelete{SwIfIndex: index})
		return err
	}
	_, err := k.vpp.DeleteLoopback(ctx, &interfaces.DeleteLoopback{SwIfIndex: index})
	return err
}

// instance is the number at the end of VPP's name for a loopback or a BVI; 0 if
// somebody renamed it.
func instance(name string) uint32 {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimPrefix(name, "loop"), "bvi"), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
