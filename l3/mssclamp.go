// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/feature"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/mss_clamp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// MSSClamp bounds the segments that TCP announces in packets that pass an interface, so that
// no connection hangs for packets that are too large further on. What announces less stays.
type MSSClamp struct {
	Interface  string
	IPv4, IPv6 Clamp // of one at least
}

// Clamp is a bound for one family. The zero Clamp is none.
type Clamp struct {
	MSS       uint16 // bytes: an MTU less 40 for IPv4, less 60 for IPv6
	Direction ClampDirection
}

// ClampDirection says which packets are looked at.
type ClampDirection uint8

// Directions of a Clamp.
const (
	ClampBoth ClampDirection = iota
	ClampIn                  // those that come in by the interface
	ClampOut                 // those that go out by it
)

const mssClampSpace = "mss-clamp"

// MSSClampKey is the key of an interface's MSSClamp.
func MSSClampKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: mssClampSpace, Name: iface}
}

// Key is MSSClampKey(m.Interface).
func (m MSSClamp) Key() desiredstate.Key { return MSSClampKey(m.Interface) }

// Deps lists the interface, because VPP keeps the clamp for the next one with its index.
func (m MSSClamp) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(m.Interface)}
}

// Validate wants a bound.
func (m MSSClamp) Validate() error {
	if m.IPv4 == (Clamp{}) && m.IPv6 == (Clamp{}) {
		return errors.New("neither IPv4 nor IPv6 is bounded")
	}
	for family, c := range map[string]Clamp{"IPv4": m.IPv4, "IPv6": m.IPv6} {
		switch {
		case c == (Clamp{}):
		case c.MSS == 0 || c.MSS == 1<<16-1:
			return fmt.Errorf("%s: MSS %d, want 1 to 65534", family, c.MSS)
		case c.Direction > ClampOut:
			return fmt.Errorf("%s: direction %d is unknown", family, c.Direction)
		}
	}
	return vppnet.CheckRef(place.InterfaceSpace, m.Interface)
}

// MSSClamps manages the bounds of our interfaces, of those in tables of ours, and of those that
// are claimed (mss_clamp_enable_disable, of VPP's mss_clamp plugin). They change in place.
//
// VPP keeps a clamp when its interface goes, and lists it for the next one with the same index,
// to no effect. Such a one of ours is seen, and made anew, if VPP can be asked whether it is in
// effect (from 25.06 on).
func MSSClamps(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[MSSClamp] {
	k := mssClamps{c, mss_clamp.NewServiceClient(c), claims}
	messages := []api.Message{&mss_clamp.MssClampGet{}, &mss_clamp.MssClampEnableDisable{}, &interfaces.SwInterfaceGetTable{}}
	if iface.Asks(k.c) {
		messages = append(messages, &feature.FeatureIsEnabled{})
	}
	return &desiredstate.Kind[MSSClamp]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     mssClampSpace,
		Requires: Places(c),
		Deps:     func(x MSSClamp) []desiredstate.Key { return k.claims.Deps(x.Interface) },
		Shares:   func(x MSSClamp) []desiredstate.Key { return vppnet.UseKeys(x.Interface) },
		Messages: c.Uses(messages...),
		Dump:     k.dump,
		Check:    func(v *desiredstate.View, m MSSClamp) error { return k.claims.Check(v, m.Interface) },
		Create: func(ctx context.Context, v *desiredstate.View, m MSSClamp) (uint32, error) {
			id, err := k.claims.Take(v, m.Interface)
			if err != nil {
				return 0, err
			}
			if err := k.set(ctx, v, id, MSSClamp{}); err != nil { // what VPP has of one before it, it takes for done
				return 0, err
			}
			return id, k.set(ctx, v, id, m)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[MSSClamp], want MSSClamp) error {
			return k.set(ctx, v, have.ID, want)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[MSSClamp]) error {
			err := k.set(ctx, v, have.ID, MSSClamp{})
			if errors.Is(err, place.ErrMoved) {
				return nil
			}
			return vppnet.Gone(err, api.INVALID_SW_IF_INDEX)
		},
		InPlace: func(have desiredstate.Actual[MSSClamp], _ MSSClamp) bool { return have.Broken == "" },
	}
}

type mssClamps struct {
	c      *vppnet.Conn
	vpp    mss_clamp.RPCService
	claims place.Scope
}

// set bounds an interface in the families in which it is ours. VPP is told both in one message, so the
// other, which is its owner's, is told as it is.
func (k mssClamps) set(ctx context.Context, v *desiredstate.View, id uint32, m MSSClamp) error {
	is4, err := k.still(ctx, v, id, false)
	if err != nil {
		return err
	}
	is6, err := k.still(ctx, v, id, true)
	switch {
	case err != nil:
		return err
	case !is4 && !is6:
		return place.ErrMoved
	case !is4 && m.IPv4 != (Clamp{}), !is6 && m.IPv6 != (Clamp{}):
		return place.ErrNotOurs(m.Interface)
	case !is4 || !is6:
		all, err := k.read(ctx, id)
		if err != nil {
			return err
		}
		for _, d := range all {
			if !is4 {
				m.IPv4 = readClamp(d.IPv4Mss, d.IPv4Direction)
			} else {
				m.IPv6 = readClamp(d.IPv6Mss, d.IPv6Direction)
			}
		}
	}
	_, err = k.vpp.MssClampEnableDisable(ctx, &mss_clamp.MssClampEnableDisable{
		SwIfIndex: interface_types.InterfaceIndex(id),
		IPv4Mss:   m.IPv4.MSS, IPv4Direction: m.IPv4.wire(),
		IPv6Mss: m.IPv6.MSS, IPv6Direction: m.IPv6.wire(),
	})
	return err
}

func (k mssClamps) still(ctx context.Context, v *desiredstate.View, id uint32, is6 bool) (bool, error) {
	return k.claims.Still(ctx, interfaces.NewServiceClient(k.c), v, id, is6)
}

func (c Clamp) wire() mss_clamp.MssClampDir {
	switch {
	case c.MSS == 0:
		return mss_clamp.MSS_CLAMP_DIR_NONE
	case c.Direction == ClampIn:
		return mss_clamp.MSS_CLAMP_DIR_RX
	case c.Direction == ClampOut:
		return mss_clamp.MSS_CLAMP_DIR_TX
	}
	return mss_clamp.MSS_CLAMP_DIR_RX | mss_clamp.MSS_CLAMP_DIR_TX
}

func readClamp(mss uint16, way mss_clamp.MssClampDir) Clamp {
	switch way {
	case mss_clamp.MSS_CLAMP_DIR_NONE:
		return Clamp{}
	case mss_clamp.MSS_CLAMP_DIR_RX:
		return Clamp{mss, ClampIn}
	case mss_clamp.MSS_CLAMP_DIR_TX:
		return Clamp{mss, ClampOut}
	}
	return Clamp{MSS: mss}
}

// read lists the clamps of an interface, or of all.
func (k mssClamps) read(ctx context.Context, id uint32) ([]*mss_clamp.MssClampDetails, error) {
	return shared.Pages(func(cursor uint32) (func() (*mss_clamp.MssClampDetails, *mss_clamp.MssClampGetReply, error), error) {
		stream, err := k.vpp.MssClampGet(ctx, &mss_clamp.MssClampGet{Cursor: cursor, SwIfIndex: interface_types.InterfaceIndex(id)})
		if err != nil {
			return nil, err
		}
		return stream.Recv, nil
	}, func(r *mss_clamp.MssClampGetReply) uint32 { return r.Cursor })
}

func (k mssClamps) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[MSSClamp], err error) {
	all, err := k.read(ctx, place.None)
	if err != nil {
		return nil, err
	}
	var requests []api.Message
	var whose []int // in out, of each request
	for _, d := range all {
		id := uint32(d.SwIfIndex)
		i, there := desiredstate.At[vppnet.Interface](v, id)
		if !k.claims.In(v, id, TableOf(v, id, false)) {
			d.IPv4Direction = mss_clamp.MSS_CLAMP_DIR_NONE
		}
		if !k.claims.In(v, id, TableOf(v, id, true)) {
			d.IPv6Direction = mss_clamp.MSS_CLAMP_DIR_NONE
		}
		if !there || d.IPv4Direction == mss_clamp.MSS_CLAMP_DIR_NONE && d.IPv6Direction == mss_clamp.MSS_CLAMP_DIR_NONE {
			continue
		}
		out = append(out, desiredstate.Actual[MSSClamp]{ID: id, Spec: MSSClamp{
			Interface: i.Spec.Name, IPv4: readClamp(d.IPv4Mss, d.IPv4Direction), IPv6: readClamp(d.IPv6Mss, d.IPv6Direction),
		}})
		for family, way := range map[string]mss_clamp.MssClampDir{"ip4": d.IPv4Direction, "ip6": d.IPv6Direction} {
			for arc, bit := range map[string]mss_clamp.MssClampDir{"unicast in": mss_clamp.MSS_CLAMP_DIR_RX, "output out": mss_clamp.MSS_CLAMP_DIR_TX} {
				if way&bit != 0 {
					arc, end, _ := strings.Cut(arc, " ")
					requests = append(requests, &feature.FeatureIsEnabled{ArcName: family + "-" + arc, FeatureName: "tcp-mss-clamping-" + family + "-" + end, SwIfIndex: d.SwIfIndex})
					whose = append(whose, len(out)-1)
				}
			}
		}
	}
	if !iface.Asks(k.c) {
		return out, nil
	}
	on, err := vppnet.AskEach[*feature.FeatureIsEnabledReply](ctx, k.c, requests...)
	for n, r := range on {
		if !r.IsEnabled {
			out[whose[n]].Broken = "it is listed, and has no effect"
		}
	}
	return out, err
}
