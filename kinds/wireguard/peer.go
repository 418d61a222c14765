// SPDX-License-Identifier: Apache-2.0

package wireguard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/wireguard"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// Peer is another end of an interface's tunnels, known by its public key, which only one peer
// in all of VPP can have.
type Peer struct {
	Interface string
	PublicKey PublicKey

	// Endpoint is where the peer is called, in the default table; zero: it calls. A peer that
	// has called from elsewhere is answered there.
	Endpoint netip.AddrPort

	// AllowedIPs, 1 to 255 without host bits, are the addresses behind it, in any order: what
	// comes from it comes from there, and what a route sends by the interface to a next hop there
	// goes to it. Only one peer of an interface can have a prefix.
	//
	// Don't let those of two peers of an interface overlap: VPP does not look for the longest.
	// A next hop that both have is of the peer that VPP was told of last, or, if its route is
	// younger than both, of whichever VPP finds first. Once either peer has gone or was made anew
	// without it, nobody has it: all that is sent there is dropped until the peer that is left is made anew.
	AllowedIPs []netip.Prefix

	// Keepalive is how often something is sent where nothing else is, in whole seconds up to
	// 65,535; 0: never.
	Keepalive time.Duration

	odd string // of one that was found: what no Peer can say
}

// PeerKey is the key of a peer.
func PeerKey(public PublicKey) desiredstate.Key {
	return desiredstate.Key{Space: "wireguard-peer", Name: public.String()}
}

// Key is PeerKey(p.PublicKey).
func (p Peer) Key() desiredstate.Key { return PeerKey(p.PublicKey) }

// Deps lists the interface.
func (p Peer) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(p.Interface)}
}

// Validate checks name, key, endpoint, prefixes and seconds.
func (p Peer) Validate() error {
	if err := vppnet.CheckRef("interface", p.Interface); err != nil {
		return err
	}
	at := p.Endpoint.Addr()
	switch {
	case p.PublicKey == PublicKey{}:
		return errors.New("no public key")
	case p.Endpoint != netip.AddrPort{} && (!at.IsValid() || at.IsUnspecified() || at.IsMulticast() || at.Is4In6() || at.Zone() != "" || p.Endpoint.Port() == 0):
		return fmt.Errorf("endpoint %s: want an address without a zone, and a port", p.Endpoint)
	case len(p.AllowedIPs) == 0 || len(p.AllowedIPs) > 255:
		return fmt.Errorf("%d allowed prefixes, want 1 to 255", len(p.AllowedIPs))
	case p.Keepalive%time.Second != 0 || p.Keepalive < 0 || p.Keepalive > 65535*time.Second:
		return fmt.Errorf("keepalive %s: want whole seconds, at most 65,535", p.Keepalive)
	}
	for i, a := range p.AllowedIPs {
		if !a.IsValid() || a != a.Masked() || a.Addr().Is4In6() || slices.Contains(p.AllowedIPs[:i], a) {
			return fmt.Errorf("allowed prefix %s: want prefixes without host bits, each once", a)
		}
	}
	return nil
}

// established is the Note of a peer that has a session: where it is, VPP knows best.
const established = "established"

// Peers manages the peers of our WireGuard interfaces, and of those that are claimed
// (wireguard_peer_add). One that is changed is made anew, and begins a session anew.
//
// VPP follows a peer that moves. So an endpoint other than the wanted one is left as it is for as
// long as the peer has a session, and one that has none is made anew where it is wanted.
func Peers(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Peer] {
	k := peers{c: c, vpp: wireguard.NewServiceClient(c), claims: claims}
	k.tunnels = shared.NewRound(k.interfaces)
	return &desiredstate.Kind[Peer]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "wireguard-peer",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c)},
		Messages: c.Uses(&wireguard.WireguardPeerAdd{}, &wireguard.WireguardPeerRemove{}, &wireguard.WireguardPeersDump{}, &wireguard.WireguardInterfaceDump{}, &memclnt.ControlPing{}),
		Dump:     k.dump,
		Verify:   k.verify,
		Check: func(v *desiredstate.View, p Peer) error {
			if i, is := v.Known(vppnet.InterfaceKey(p.Interface)).(Interface); is && p.Endpoint.IsValid() && p.Endpoint.Addr().Is4() != i.Src.Is4() {
				// VPP would look for the way by what it takes for an address of the other family.
				return fmt.Errorf("%w: endpoint %s, and %s sends from %s: want both of one family", desiredstate.ErrInvalid, p.Endpoint, p.Interface, i.Src)
			}
			return iface.Scope(claims).Check(v, p.Interface)
		},
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, p Peer) error {
			_, err := k.place(ctx, v, p)
			return err
		},
		Create: k.create,
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Peer]) error {
			_, err := k.vpp.WireguardPeerRemove(ctx, &wireguard.WireguardPeerRemove{PeerIndex: have.ID})
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		},
		Fill: func(have desiredstate.Actual[Peer], want Peer) Peer {
			if have.Note == established {
				want.Endpoint = have.Spec.Endpoint
			}
			if slices.Equal(sorted(have.Spec.AllowedIPs), sorted(want.AllowedIPs)) {
				want.AllowedIPs = have.Spec.AllowedIPs
			}
			return want
		},
		Holds: func(p Peer) (all []desiredstate.Key) {
			for _, a := range p.AllowedIPs {
				all = append(all, desiredstate.Key{Space: "wireguard-allowed", Name: a.String() + " behind " + p.Interface})
			}
			return all
		},
	}
}

func sorted(all []netip.Prefix) []netip.Prefix {
	return slices.SortedFunc(slices.Values(all), func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits())
	})
}

type peers struct {
	c       *vppnet.Conn
	vpp     wireguard.RPCService
	claims  []vppnet.Claim
	tunnels *shared.Round[map[uint32]PublicKey] // of WireGuard's interfaces
}

func (k peers) interfaces(ctx context.Context) (map[uint32]PublicKey, error) {
	found, err := vppnet.Collect(k.vpp.WireguardInterfaceDump(ctx, &wireguard.WireguardInterfaceDump{SwIfIndex: all}))
	out := make(map[uint32]PublicKey, len(found))
	for _, d := range found {
		out[uint32(d.Interface.SwIfIndex)] = PublicKey(d.Interface.PublicKey)
	}
	return out, err
}

// place is the handle of the peer's interface, if it is one of WireGuard: of one that merely has the
// index of one that has gone VPP does not notice, and writes where that was. VPP takes an interface
// for its own peer, too, which calls itself for ever.
func (k peers) place(ctx context.Context, v *desiredstate.View, p Peer) (uint32, error) {
	id, err := iface.Scope(k.claims).Take(v, p.Interface)
	if err != nil {
		return 0, err
	}
	keys, err := k.tunnels.Join(ctx)
	if err != nil {
		return 0, err
	}
	switch own, is := keys[id]; {
	case !is:
		return 0, fmt.Errorf("%w: %s is no WireGuard interface: name one that wireguard.Interfaces makes", desiredstate.ErrInvalid, p.Interface)
	case own == p.PublicKey:
		return 0, fmt.Errorf("%w: %s is the public key of %s itself: want that of the other end", desiredstate.ErrInvalid, own, p.Interface)
	}
	return id, nil
}

func (k peers) create(ctx context.Context, v *desiredstate.View, p Peer) (uint32, error) {
	id, err := k.place(ctx, v, p)
	if err != nil {
		return 0, err
	}
	q := wireguard.WireguardPeer{
		PublicKey: p.PublicKey[:], SwIfIndex: interface_types.InterfaceIndex(id), PersistentKeepalive: uint16(p.Keepalive / time.Second),
		Port: p.Endpoint.Port(), NAllowedIps: uint8(len(p.AllowedIPs)),
	}
	if p.Endpoint.IsValid() {
		q.Endpoint = inet.Address(p.Endpoint.Addr())
	}
	for _, a := range p.AllowedIPs {
		q.AllowedIps = append(q.AllowedIps, inet.Prefix(a))
	}
	r, err := k.vpp.WireguardPeerAdd(ctx, &wireguard.WireguardPeerAdd{Peer: q})
	if err != nil {
		return 0, err
	}
	return r.PeerIndex, nil
}

func (k peers) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Peer], err error) {
	found, err := vppnet.Collect(k.vpp.WireguardPeersDump(ctx, &wireguard.WireguardPeersDump{PeerIndex: none}))
	for _, d := range found {
		i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.Peer.SwIfIndex))
		if !ok {
			continue // gone since
		}
		p := Peer{Interface: i.Spec.Name, PublicKey: PublicKey(d.Peer.PublicKey), Keepalive: time.Duration(d.Peer.PersistentKeepalive) * time.Second}
		if at := inet.Read(d.Peer.Endpoint); !at.IsUnspecified() || d.Peer.Port != 0 {
			p.Endpoint = netip.AddrPortFrom(at, d.Peer.Port)
		}
		for _, a := range d.Peer.AllowedIps {
			p.AllowedIPs = append(p.AllowedIPs, inet.ReadPrefix(a))
		}
		if d.Peer.TableID != 0 {
			p.odd = fmt.Sprintf("is called in table %d", d.Peer.TableID)
		}
		a := desiredstate.Actual[Peer]{ID: d.Peer.PeerIndex, Spec: p, Foreign: !iface.Scope(k.claims).Has(i)}
		if d.Peer.Flags&wireguard.WIREGUARD_PEER_ESTABLISHED != 0 {
			a.Note = established
		}
		out = append(out, a)
	}
	return out, err
}

// verify asks which peers are where, by index.
func (k peers) verify(ctx context.Context, held []desiredstate.Held) ([]bool, error) {
	requests := make([]api.Message, len(held))
	for i, h := range held {
		requests[i] = &wireguard.WireguardPeersDump{PeerIndex: h.ID}
	}
	answers, err := vppnet.Ask(ctx, k.c, requests...)
	if err != nil {
		return nil, err
	}
	found, err := vppnet.As[*wireguard.WireguardPeersDetails](answers)
	at := make(map[uint32]PublicKey, len(found))
	for _, d := range found {
		at[d.Peer.PeerIndex] = PublicKey(d.Peer.PublicKey)
	}
	same := make([]bool, len(held))
	for i, h := range held {
		key, there := at[h.ID]
		same[i] = there && PeerKey(key) == h.Key
	}
	return same, err
}
