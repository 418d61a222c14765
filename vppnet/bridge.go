// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
)

// BridgeDomain is an L2 segment. The zero value learns, forwards and floods.
type BridgeDomain struct {
	Name string
	ID   uint32 // the number that VPP knows it by, 1 to 16777215; 0: VPP picks

	NoLearn               bool // do not learn MAC addresses
	NoForward             bool // do not forward by learnt or static addresses
	NoFlood               bool // do not flood broadcast and multicast
	NoUnknownUnicastFlood bool // do not flood unicast to unknown addresses
	ARPTermination        bool // answer ARP and ND from the bridge domain's own table

	// MACAge is how long a learnt address is kept unseen, in whole minutes up to
	// 255. 0: for ever.
	MACAge time.Duration
}

// BridgeKey is the key of a bridge domain. One that is not ours is named by its owner's
// tag, "owner/name", or by its number, "vpp:7".
func BridgeKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "bridge-domain", Name: name}
}

// Key is BridgeKey(b.Name).
func (b BridgeDomain) Key() desiredstate.Key { return BridgeKey(b.Name) }

// Deps is empty.
func (b BridgeDomain) Deps() []desiredstate.Key { return nil }

// Validate checks name, number and age.
func (b BridgeDomain) Validate() error {
	if err := CheckName(b.Name); err != nil {
		return err
	}
	switch {
	case b.ID > maxBridge:
		return fmt.Errorf("ID %d, want at most %d", b.ID, maxBridge)
	case b.MACAge < 0 || b.MACAge > 255*time.Minute || b.MACAge%time.Minute != 0:
		return fmt.Errorf("MAC age %v, want whole minutes from 0 to 255", b.MACAge)
	}
	return nil
}

const maxBridge = 1<<24 - 1

// BridgeDomains manages bridge domains (bridge_domain_add_del_v2). Flags and MAC
// age change in place; another ID replaces. One with somebody else's interface in it is not
// removed (desiredstate.ErrInUse).
func BridgeDomains(c *Conn) *desiredstate.Kind[BridgeDomain] {
	vpp := l2.NewServiceClient(c)
	return Labelled(c, &desiredstate.Kind[BridgeDomain]{
		Target:   c.Target(),
		Name:     "bridge-domain",
		Requires: []desiredstate.AnyKind{bridges(c)},
		Messages: c.Uses(&l2.BridgeDomainAddDelV2{}, &l2.BridgeFlags{}, &l2.BridgeDomainSetMacAge{}, &memclnt.ControlPing{}),
		Verify:   verifyBridges(c),
		Dump: Reread(c, func(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[BridgeDomain], err error) {
			for b := range desiredstate.All[bridge](v) {
				d := b.Spec.BridgeDomainDetails
				out = append(out, desiredstate.Actual[BridgeDomain]{ID: b.ID, Foreign: b.Foreign, Leftover: b.Leftover, Spec: BridgeDomain{
					Name: b.Spec.name, ID: b.ID, NoLearn: !d.Learn, NoForward: !d.Forward, NoFlood: !d.Flood,
					NoUnknownUnicastFlood: !d.UuFlood, ARPTermination: d.ArpTerm,
					MACAge: time.Duration(d.MacAge) * time.Minute,
				}})
			}
			return out, nil
		}),
		Create: func(ctx context.Context, _ *desiredstate.View, b BridgeDomain) (uint32, error) {
			tag, err := c.Tag(b.Name)
			if err != nil {
				return 0, err
			}
			req := &l2.BridgeDomainAddDelV2{
				BdID: ^uint32(0), IsAdd: true, BdTag: tag, MacAge: b.age(), Learn: !b.NoLearn, Forward: !b.NoForward,
				Flood: !b.NoFlood, UuFlood: !b.NoUnknownUnicastFlood, ArpTerm: b.ARPTermination,
			}
			if b.ID != 0 {
				req.BdID = b.ID
			}
			r, err := vpp.BridgeDomainAddDelV2(ctx, req)
			if err != nil {
				return 0, err
			}
			return r.BdID, nil
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[BridgeDomain], want BridgeDomain) error {
			was, is := have.Spec.flags(), want.flags()
			for _, x := range []l2.BridgeFlags{{IsSet: true, Flags: is &^ was}, {Flags: was &^ is}} {
				if x.BdID = have.ID; x.Flags != 0 {
					if _, err := vpp.BridgeFlags(ctx, &x); err != nil {
						return err
					}
				}
			}
			if have.Spec.MACAge == want.MACAge {
				return nil
			}
			_, err := vpp.BridgeDomainSetMacAge(ctx, &l2.BridgeDomainSetMacAge{BdID: have.ID, MacAge: want.age()})
			return err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[BridgeDomain]) error {
			_, err := vpp.BridgeDomainAddDelV2(ctx, &l2.BridgeDomainAddDelV2{BdID: have.ID})
			return Busy(Gone(err, api.NO_SUCH_ENTRY), api.BD_IN_USE)
		},
		Fill: func(have desiredstate.Actual[BridgeDomain], want BridgeDomain) BridgeDomain {
			if want.ID == 0 {
				want.ID = have.Spec.ID
			}
			return want
		},
		InPlace: func(have desiredstate.Actual[BridgeDomain], want BridgeDomain) bool { return have.Spec.ID == want.ID },
		Holds: func(b BridgeDomain) []desiredstate.Key {
			if b.ID == 0 {
				return nil
			}
			return []desiredstate.Key{{Space: "bridge-domain-id", Name: strconv.FormatUint(uint64(b.ID), 10)}}
		},
	}, nil)
}

func (b BridgeDomain) age() uint8 { return uint8(b.MACAge / time.Minute) }

func (b BridgeDomain) flags() (f l2.BdFlags) {
	for flag, on := range map[l2.BdFlags]bool{
		l2.BRIDGE_API_FLAG_LEARN:    !b.NoLearn,
		l2.BRIDGE_API_FLAG_FWD:      !b.NoForward,
		l2.BRIDGE_API_FLAG_FLOOD:    !b.NoFlood,
		l2.BRIDGE_API_FLAG_UU_FLOOD: !b.NoUnknownUnicastFlood,
		l2.BRIDGE_API_FLAG_ARP_TERM: b.ARPTermination,
	} {
		if on {
			f |= flag
		}
	}
	return f
}
