// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"
	binding "go.fd.io/govpp/binapi/vrrp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Routers manages the virtual routers on our interfaces, on those in tables
// of ours, and on those that are claimed (vrrp_vr_add_del, _start_stop, _set_peers,
// _track_if_add_del). What is tracked, peers, and whether it takes part change in
// place, all else replaces. A master that is removed or replaced hands over first.
//
// VPP keeps a router when its interface goes, lists it for the next one with its index, to no
// effect, and tracks interfaces that have gone for ever. Such a router is seen, the first if VPP can
// be asked whether it is in effect (from 25.06 on), and made anew.
//
// It takes part only once its interface has an address of its own: VPP would wait
// for one, and not see it come. One that VPP left waiting is started again.
//
// The interface may be a sub-interface, or the BVI of a bridge domain. Of a standby
// whose bridge domain learns, VPP would take the virtual MAC, from the master's
// adverts, to be behind the uplink, and drop what is sent to it for ever once it is
// master itself. So the bridge domain of a BVI must not learn (NoLearn) and has to
// flood unknown unicast: with an uplink and a BVI in it, nothing is sent anywhere
// else by that. All else is refused. Give local ports there a [vppnet.FIBEntry].
func Routers(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Router] {
	k := routers{c, binding.NewServiceClient(c), claims, nil}
	k.bridges = shared.NewRound(k.deaf)
	return place.Looking(c, claims, Router.is6, &desiredstate.Kind[Router]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     space,
		Requires: l3.Places(c),
		Shares:   func(x Router) []desiredstate.Key { return place.UseKeys(x.Interface, x.Table, x.is6()) },
		Messages: iface.Uses(c, &binding.VrrpVrDump{}, &binding.VrrpVrPeerDump{}, &binding.VrrpVrTrackIfDump{},
			&binding.VrrpVrAddDel{}, &binding.VrrpVrStartStop{}, &binding.VrrpVrSetPeers{}, &binding.VrrpVrTrackIfAddDel{},
			&ip.IPAddressDump{}, &l2.BridgeDomainDump{}, &memclnt.ControlPing{}),
		Dump:  k.dump,
		Check: func(v *desiredstate.View, r Router) error { return k.scope.CheckIn(v, r.Interface, r.Table) },
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, r Router) error {
			_, err := k.placed(ctx, v, r)
			return err
		},
		Create: k.create,
		Update: k.update,
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Router]) error {
			return k.remove(ctx, have.ID, have.Spec)
		},
		Fill: func(have desiredstate.Actual[Router], want Router) Router {
			want = want.filled()
			want.After = have.Spec.After
			return want
		},
		InPlace: func(have desiredstate.Actual[Router], want Router) bool {
			return !lost(have.Broken) && reflect.DeepEqual(have.Spec.fixed(), want.fixed())
		},
		Holds: func(r Router) (held []desiredstate.Key) {
			for _, a := range r.Addresses {
				held = append(held, desiredstate.Key{Space: "vrrp-address", Name: fmt.Sprintf("%s %v", r.Interface, a)})
				if r.lends() {
					held = append(held, place.HeldAddress(r.Table, a))
				}
			}
			return held
		},
	})
}

type routers struct {
	c       *vppnet.Conn
	vpp     binding.RPCService
	scope   place.Scope
	bridges *shared.Round[map[uint32]uint32] // see deaf: VPP tells of all at once
}

func (k routers) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Router], err error) {
	all, err := vppnet.Collect(k.vpp.VrrpVrDump(ctx, &binding.VrrpVrDump{SwIfIndex: interface_types.InterfaceIndex(place.None)}))
	if err != nil || len(all) == 0 {
		return nil, err
	}
	tracked, err := k.tracked(ctx, v)
	if err != nil {
		return nil, err
	}
	deaf, err := k.bridges.Join(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		id := uint32(d.Config.SwIfIndex)
		r := Router{
			Interface: place.InterfaceName(v, id), ID: d.Config.VrID,
			Priority: d.Config.Priority, Interval: time.Duration(d.Config.Interval) * interval,
			NoPreempt: d.Config.Flags&binding.VRRP_API_VR_PREEMPT == 0, Accept: d.Config.Flags&binding.VRRP_API_VR_ACCEPT != 0,
			Stopped: d.Runtime.State == binding.VRRP_API_VR_STATE_INIT,
		}
		broken := ""
		if _, ok := deaf[id]; ok {
			also(&broken, isDeaf)
		}
		for _, a := range d.Addrs {
			r.Addresses = append(r.Addresses, inet.Read(a))
		}
		r.Table = l3.TableOf(v, id, r.is6())
		if d.Config.Flags&binding.VRRP_API_VR_UNICAST != 0 && id != place.Local0 { // there, VPP would tell of all
			if r.Peers, err = k.peers(ctx, id, r); err != nil {
				return nil, err
			}
		}
		if r.Track = tracked[vrKey{d.Config.SwIfIndex, d.Config.VrID, r.is6()}]; blind(v, r.Track) {
			also(&broken, isBlind)
		}
		if d.Runtime.State == binding.VRRP_API_VR_STATE_INTF_DOWN {
			i, ok := desiredstate.At[vppnet.Interface](v, id)
			if ok && i.Spec.Up && i.Spec.LinkUp {
				stuck, err := k.addressed(ctx, id, r.is6())
				if err != nil {
					return nil, err
				}
				if stuck {
					also(&broken, isStuck)
				}
			}
		}
		out = append(out, desiredstate.Actual[Router]{
			ID: id, Foreign: !k.scope.In(v, id, r.Table), Spec: r.filled(), Broken: broken,
		})
	}
	return out, k.left(ctx, v, out)
}

// vrKey is VPP's key of a virtual router.
type vrKey struct {
	iface interface_types.InterfaceIndex
	id    uint8
	is6   bool
}

func (k routers) tracked(ctx context.Context, v *desiredstate.View) (map[vrKey][]TrackedInterface, error) {
	all, err := vppnet.Collect(k.vpp.VrrpVrTrackIfDump(ctx, &binding.VrrpVrTrackIfDump{DumpAll: 1}))
	out := map[vrKey][]TrackedInterface{}
	for _, d := range all {
		for _, t := range d.Ifs {
			key := vrKey{d.SwIfIndex, d.VrID, d.IsIPv6 != 0}
			out[key] = append(out[key], TrackedInterface{place.InterfaceName(v, uint32(t.SwIfIndex)), t.Priority})
		}
	}
	return out, err
}

// peers asks more than once: VPP looks up a key of which it has not set every byte.
// It is never asked for the peers of all.
func (k routers) peers(ctx context.Context, id uint32, r Router) (out []netip.Addr, err error) {
	for range 3 {
		all, err := vppnet.Collect(k.vpp.VrrpVrPeerDump(ctx, &binding.VrrpVrPeerDump{
			SwIfIndex: interface_types.InterfaceIndex(id), VrID: r.ID, IsIPv6: bit(r.is6()),
		}))
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			for _, a := range d.PeerAddrs {
				out = append(out, inet.Read(a))
			}
			return out, nil
		}
	}
	return nil, nil
}

// addressed says whether an interface has an address by which it can take part.
func (k routers) addressed(ctx context.Context, id uint32, is6 bool) (bool, error) {
	all, err := k.addresses(ctx, id, is6)
	return len(all) > 0, err
}

func (k routers) addresses(ctx context.Context, id uint32, is6 bool) ([]netip.Addr, error) {
	all, err := vppnet.Collect(ip.NewServiceClient(k.c).IPAddressDump(ctx, &ip.IPAddressDump{SwIfIndex: interface_types.InterfaceIndex(id), IsIPv6: is6}))
	out := make([]netip.Addr, len(all))
	for i, d := range all {
		out[i] = inet.Read(d.Prefix.Address)
	}
	return out, err
}

// ready refuses a router that would not hear what is for it, or that VPP does not take for the owner of
// its addresses.
func (k routers) ready(ctx context.Context, id uint32, r Router) error {
	if err := k.hears(ctx, id); err != nil || r.Priority != owner {
		return err
	}
	all, err := k.addresses(ctx, id, r.is6())
	for _, a := range r.Addresses {
		if err == nil && !slices.Contains(all, a) {
			err = fmt.Errorf("%w: priority %d is of who owns the addresses, and interface %s has no %v: give it an l3.Address of that and name it in After, or take a lower priority",
				desiredstate.ErrEarly, owner, r.Interface, a)
		}
	}
	return err
}

// placed is the interface on which the router can be.
func (k routers) placed(ctx context.Context, v *desiredstate.View, r Router) (uint32, error) {
	id, err := k.scope.Placed(ctx, interfaces.NewServiceClient(k.c), v, r.Interface, "Router.Table", r.Table, r.is6())
	if err == nil {
		err = k.ready(ctx, id, r)
	}
	return id, err
}

func (k routers) create(ctx context.Context, v *desiredstate.View, r Router) (uint32, error) {
	id, err := k.placed(ctx, v, r)
	if err != nil {
		return 0, err
	}
	err = k.set(ctx, id, r, true)
	if errors.Is(err, api.ENTRY_ALREADY_EXISTS) { // one that an interface with this index has left
		if err = k.remove(ctx, id, r); err == nil {
			err = k.set(ctx, id, r, true)
		}
	}
	if err != nil {
		return 0, err
	}
	have := r
	have.Peers, have.Track, have.Stopped = nil, nil, true
	return id, k.change(ctx, v, id, false, have.filled(), r.filled())
}

func (k routers) update(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Router], want Router) error {
	if strings.Contains(have.Broken, isDeaf) {
		if err := k.hears(ctx, have.ID); err != nil {
			return err
		}
	}
	return k.change(ctx, v, have.ID, strings.Contains(have.Broken, isStuck), have.Spec, want.filled())
}

// change makes of have what differs in place. It is stopped while its peers change, and for
// a moment if it is stuck.
func (k routers) change(ctx context.Context, v *desiredstate.View, id uint32, stuck bool, have, want Router) error {
	peers := !slices.Equal(have.Peers, want.Peers)
	if !have.Stopped && (want.Stopped || peers || stuck) {
		if err := k.start(ctx, id, want, false); err != nil {
			return err
		}
		have.Stopped = true
	}
	if peers {
		if err := k.setPeers(ctx, id, want); err != nil {
			return err
		}
	}
	for _, t := range have.Track {
		if !slices.Contains(want.Track, t) {
			if err := k.track(ctx, v, id, want, t, false); err != nil {
				return err
			}
		}
	}
	for _, t := range want.Track {
		if !slices.Contains(have.Track, t) {
			if err := k.track(ctx, v, id, want, t, true); err != nil {
				return err
			}
		}
	}
	if !have.Stopped || want.Stopped {
		return nil
	}
	ok, err := k.addressed(ctx, id, want.is6())
	if err == nil && !ok {
		err = fmt.Errorf("interface %s has no %s address of its own, so it can take no part; name its Address in After", want.Interface, inet.Family(want.is6()))
	}
	if err != nil {
		return err
	}
	return k.start(ctx, id, want, true)
}

// deaf are the BVIs that would not get what is sent to a virtual MAC, and their bridge
// domains.
func (k routers) deaf(ctx context.Context) (map[uint32]uint32, error) {
	all, err := vppnet.Collect(l2.NewServiceClient(k.c).BridgeDomainDump(ctx, &l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: interface_types.InterfaceIndex(place.None)}))
	out := map[uint32]uint32{}
	for _, d := range all {
		if d.BviSwIfIndex != interface_types.InterfaceIndex(place.None) && (d.Learn || !d.UuFlood) {
			out[uint32(d.BviSwIfIndex)] = d.BdID
		}
	}
	return out, err
}

// hears refuses those.
func (k routers) hears(ctx context.Context, id uint32) error {
	all, err := k.bridges.Join(ctx)
	if bridge, deaf := all[id]; deaf {
		return fmt.Errorf("%w: it is the BVI of bridge domain %d, which learns, or does not flood unknown unicast: "+
			"a standby would not get what is sent to the virtual MAC; set NoLearn and not NoUnknownUnicastFlood", desiredstate.ErrEarly, bridge)
	}
	return err
}

func (k routers) set(ctx context.Context, id uint32, r Router, add bool) error {
	r = r.filled()
	req := &binding.VrrpVrAddDel{
		IsAdd: bit(add), SwIfIndex: interface_types.InterfaceIndex(id), VrID: r.ID, Priority: r.Priority, Interval: uint16(r.Interval / interval),
		Addrs: inet.Addresses(r.Addresses),
	}
	for _, f := range []struct {
		is   bool
		flag binding.VrrpVrFlags
	}{
		{!r.NoPreempt, binding.VRRP_API_VR_PREEMPT},
		{r.Accept, binding.VRRP_API_VR_ACCEPT},
		{len(r.Peers) > 0, binding.VRRP_API_VR_UNICAST},
		{r.is6(), binding.VRRP_API_VR_IPV6},
	} {
		if f.is {
			req.Flags |= f.flag
		}
	}
	_, err := k.vpp.VrrpVrAddDel(ctx, req)
	return err
}

// remove stops a router first. Deleted while it runs, it would leave its ear for ARP behind.
func (k routers) remove(ctx context.Context, id uint32, r Router) error {
	if err := k.start(ctx, id, r, false); err != nil {
		return vppnet.Gone(err, api.NO_SUCH_ENTRY)
	}
	return vppnet.Gone(k.set(ctx, id, r, false), api.NO_SUCH_ENTRY)
}

func (k routers) start(ctx context.Context, id uint32, r Router, start bool) error {
	_, err := k.vpp.VrrpVrStartStop(ctx, &binding.VrrpVrStartStop{
		SwIfIndex: interface_types.InterfaceIndex(id), VrID: r.ID, IsIPv6: bit(r.is6()), IsStart: bit(start),
	})
	return err
}

func (k routers) setPeers(ctx context.Context, id uint32, r Router) error {
	_, err := k.vpp.VrrpVrSetPeers(ctx, &binding.VrrpVrSetPeers{
		SwIfIndex: interface_types.InterfaceIndex(id), VrID: r.ID, IsIPv6: bit(r.is6()), Addrs: inet.Addresses(r.Peers),
	})
	return err
}

// track is for one interface that exists: VPP undoes nothing of a call that fails.
func (k routers) track(ctx context.Context, v *desiredstate.View, id uint32, r Router, t TrackedInterface, add bool) error {
	other, err := place.InterfaceID(v, t.Interface)
	if err != nil {
		if !add { // it cannot be asked for by a name, and VPP would refuse
			return nil
		}
		return err
	}
	_, err = k.vpp.VrrpVrTrackIfAddDel(ctx, &binding.VrrpVrTrackIfAddDel{
		SwIfIndex: interface_types.InterfaceIndex(id), VrID: r.ID, IsIPv6: bit(r.is6()), IsAdd: bit(add),
		Ifs: []binding.VrrpVrTrackIf{{SwIfIndex: interface_types.InterfaceIndex(other), Priority: t.Decrement}},
	})
	return err
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
