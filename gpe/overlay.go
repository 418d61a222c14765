// SPDX-License-Identifier: Apache-2.0

package gpe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_gpe"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Overlay turns VPP's overlays on, with their modes. There is one at most. VPP is a tunnel
// router (xTR) all along.
type Overlay struct {
	// VXLAN has packets be encapsulated as those of VXLAN-GPE, not of LISP-GPE. It changes
	// only while nothing is forwarded.
	VXLAN bool

	PETR bool // proxy egress tunnel router: takes packets of those who are in no VNI
}

const overlaySpace = "gpe"

// OverlayKey is the key of the one Overlay.
func OverlayKey() desiredstate.Key { return desiredstate.Key{Space: overlaySpace, Name: "gpe"} }

// Key is OverlayKey().
func (o Overlay) Key() desiredstate.Key { return OverlayKey() }

// Deps is empty.
func (o Overlay) Deps() []desiredstate.Key { return nil }

// Validate has nothing to refuse.
func (o Overlay) Validate() error { return nil }

// Overlays manages whether overlays are on (lisp_enable_disable), and their modes, which
// change in place (gpe_set_encap_mode, one_enable_disable_petr_mode). An engine that is
// given this kind owns that; the other kinds only refer to it.
//
// Who turns overlays off while there is a VNI has VPP mix up the VNIs' interfaces, and what somebody
// had VPP forward without any EID (gpe_add_del_fwd_entry, gpe_add_del_iface) goes. While
// others have something in it, an Overlay that is removed is therefore left on, as it is,
// and forgotten: what only others use is not shown. One that is wanted then is shared,
// unless its modes are others. Who listens at LISP's UDP ports (4341, 4342) would be deaf from then on;
// overlays are refused then.
func Overlays(c *vppnet.Conn) *desiredstate.Kind[Overlay] { return overlays(c, true) }

// overlays is for Overlays, and for those that only refer to what it manages.
func overlays(c *vppnet.Conn, ours bool) *desiredstate.Kind[Overlay] {
	k := overlayKind{c, lisp.NewServiceClient(c), lisp_gpe.NewServiceClient(c), one.NewServiceClient(c), new(atomic.Bool), vppnet.UDPListeners(c, true)}
	messages := []api.Message{&lisp.ShowLispStatus{}, &lisp_gpe.GpeGetEncapMode{}, &one.OneShowPetrMode{}}
	if ours {
		messages = append(messages, &lisp.LispEnableDisable{}, &lisp_gpe.GpeSetEncapMode{}, &one.OneEnableDisablePetrMode{},
			&lisp.LispEidTableMapDump{}, &lisp.LispLocatorSetDump{}, &lisp.LispEidTableDump{}, &lisp_gpe.GpeFwdEntryVnisGet{}, &interfaces.SwInterfaceDump{})
	}
	return &desiredstate.Kind[Overlay]{
		Target: c.Target(), Variant: ours,
		Name:     "overlay",
		Messages: c.Uses(messages...),
		Dump: func(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[Overlay], error) {
			have, s, err := k.read(ctx)
			if err != nil || !s.IsLispEnabled {
				k.mine.Store(false)
				return nil, err
			}
			if ours && !k.mine.Load() {
				if used, err := k.used(ctx, true); used || err != nil {
					return nil, err
				}
				k.mine.Store(true)
			}
			return []desiredstate.Actual[Overlay]{{Spec: have, Foreign: !ours}}, nil
		},
		Create: func(ctx context.Context, _ *desiredstate.View, want Overlay) (uint32, error) {
			have, s, err := k.read(ctx)
			if err != nil {
				return 0, err
			}
			if used, err := k.used(ctx, false); err != nil {
				return 0, err
			} else if s.IsGpeEnabled && used && have != want { // others may have turned on what forwards, and no more
				return 0, othersHave(have, want)
			}
			if !s.IsLispEnabled { // to do it twice has VPP keep all interfaces for good
				if err := k.taken(ctx, 4341, 4342); err != nil { // those of LISP-GPE and of LISP
					return 0, err
				}
				if _, err := k.vpp.LispEnableDisable(ctx, &lisp.LispEnableDisable{IsEnable: true}); err != nil {
					return 0, err
				}
			}
			// Modes are set while overlays are on, and so found with them, should we die.
			if err := k.set(ctx, have, want); err != nil {
				return 0, err
			}
			k.mine.Store(true)
			return 0, nil
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Overlay], want Overlay) error {
			if used, err := k.used(ctx, true); err != nil {
				return err
			} else if used {
				return othersHave(have.Spec, want)
			}
			return k.set(ctx, have.Spec, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Overlay]) error {
			used, err := k.used(ctx, false)
			if err != nil {
				return err
			}
			k.mine.Store(false)
			if used {
				return nil // by others; it stays, and is theirs
			}
			if err := k.set(ctx, have.Spec, Overlay{}); err != nil {
				return err
			}
			_, err = k.vpp.LispEnableDisable(ctx, &lisp.LispEnableDisable{})
			return err
		},
	}
}

func othersHave(have, want Overlay) error {
	return fmt.Errorf("%w: others have overlays on with %+v, want %+v: take that, or have them turned off", desiredstate.ErrForeign, have, want)
}

type overlayKind struct {
	c     *vppnet.Conn
	vpp   lisp.RPCService
	gpe   lisp_gpe.RPCService
	one   one.RPCService
	mine  *atomic.Bool // this engine has found overlays to be ours to turn off, or has turned them on
	taken func(context.Context, ...uint16) error
}

func (k overlayKind) read(ctx context.Context) (o Overlay, s *lisp.ShowLispStatusReply, err error) {
	if s, err = k.vpp.ShowLispStatus(ctx, &lisp.ShowLispStatus{}); err != nil {
		return o, nil, err
	}
	e, err := k.gpe.GpeGetEncapMode(ctx, &lisp_gpe.GpeGetEncapMode{})
	if err != nil {
		return o, nil, err
	}
	p, err := k.one.OneShowPetrMode(ctx, &one.OneShowPetrMode{})
	if err != nil {
		return o, nil, err
	}
	return Overlay{VXLAN: e.EncapMode == encapVXLAN, PETR: p.IsEnable}, s, nil
}

const encapVXLAN = 1

// used says whether there is anything in overlays, or anything that bears no tag of ours.
func (k overlayKind) used(ctx context.Context, byOthers bool) (bool, error) {
	sets, err := vppnet.Collect(k.vpp.LispLocatorSetDump(ctx, &lisp.LispLocatorSetDump{Filter: lisp.LISP_LOCATOR_SET_FILTER_API_LOCAL}))
	if err != nil {
		return false, err
	}
	for _, s := range sets {
		if _, ours := k.c.Untag(strings.TrimRight(s.LsName, "\x00")); !byOthers || !ours {
			return true, nil
		}
	}
	if byOthers && len(sets) > 0 {
		return false, nil // what else there is may be ours
	}
	for _, l2 := range []bool{true, false} {
		maps, err := vppnet.Collect(k.vpp.LispEidTableMapDump(ctx, &lisp.LispEidTableMapDump{IsL2: l2}))
		if err != nil {
			return false, err
		}
		for _, m := range maps {
			if l2 || m.Vni != 0 { // VNI 0 is VPP's own, of its default table
				return !byOthers, nil
			}
		}
	}
	// Ours has locator sets, or a VNI; so the rest is others'.
	eids, err := vppnet.Collect(k.vpp.LispEidTableDump(ctx, &lisp.LispEidTableDump{}))
	if len(eids) > 0 || err != nil {
		return true, err
	}
	return k.forwards(ctx)
}

// forwards says whether anything is forwarded, or has an interface that is in use, while there is neither VNI nor
// EID. VPP's own is in use as long as overlays are on; those of VNIs that are gone are down.
func (k overlayKind) forwards(ctx context.Context) (bool, error) {
	vnis, err := k.gpe.GpeFwdEntryVnisGet(ctx, &lisp_gpe.GpeFwdEntryVnisGet{})
	if err != nil || len(vnis.Vnis) > 0 {
		return true, err
	}
	all, err := vppnet.Collect(interfaces.NewServiceClient(k.c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{
		SwIfIndex: ^interface_types.InterfaceIndex(0), NameFilterValid: true, NameFilter: "lisp_gpe",
	}))
	return slices.ContainsFunc(all, func(d *interfaces.SwInterfaceDetails) bool {
		return d.InterfaceName != "lisp_gpe0" && d.Flags&interface_types.IF_STATUS_API_FLAG_ADMIN_UP != 0
	}), err
}

func (k overlayKind) set(ctx context.Context, have, want Overlay) error {
	if have.VXLAN != want.VXLAN {
		_, err := k.gpe.GpeSetEncapMode(ctx, &lisp_gpe.GpeSetEncapMode{IsVxlan: want.VXLAN})
		if errors.Is(err, api.LISP_GPE_ENTRIES_PRESENT) {
			err = fmt.Errorf("something is forwarded: remove the remote EIDs first: %w", err)
		}
		if err != nil {
			return err
		}
	}
	if have.PETR != want.PETR {
		_, err := k.one.OneEnableDisablePetrMode(ctx, &one.OneEnableDisablePetrMode{IsEnable: want.PETR})
		return err
	}
	return nil
}
