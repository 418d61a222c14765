// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/internal/shared"
)

// hairpins ends what VPP lets go on when a mapping goes: the sessions of other hosts
// inside that lead to its external side. VPP ends only those of the mapping's own
// host. To find them takes a look at all sessions of all hosts, so mappings that go
// together share one.
//
// Endpoint-independent NAT looks for the mapping packet by packet, and needs none.
type hairpins struct {
	vpp  client
	look *shared.Round[struct{}]

	mu   sync.Mutex
	gone []staticMapping // not yet looked for
}

func newHairpins(vpp client) *hairpins {
	h := &hairpins{vpp: vpp}
	h.look = shared.NewRound(h.round)
	return h
}

// end returns when no session leads to m any more.
func (h *hairpins) end(ctx context.Context, m staticMapping) error {
	if h.vpp.variant() != EndpointDependent {
		return nil
	}
	h.mu.Lock()
	h.gone = append(h.gone, m)
	h.mu.Unlock()
	_, err := h.look.Join(ctx)
	return err
}

// round sees to all mappings that have gone since the last one began, or that it failed for.
func (h *hairpins) round(ctx context.Context) (_ struct{}, err error) {
	h.mu.Lock()
	all := h.gone
	h.gone = nil
	h.mu.Unlock()
	if err = h.endAll(ctx, all); err != nil {
		h.mu.Lock()
		h.gone = append(h.gone, all...)
		h.mu.Unlock()
	}
	return struct{}{}, err
}

func (h *hairpins) endAll(ctx context.Context, gone []staticMapping) error {
	type side struct {
		protocol uint8
		external netip.AddrPort
	}
	sides := map[side]bool{}
	for _, m := range gone {
		sides[side{m.protocol, netip.AddrPortFrom(m.external, m.externalPort)}] = true
	}
	hosts, err := h.vpp.hosts(ctx)
	if err != nil {
		return err
	}
	for _, host := range hosts {
		all, err := h.vpp.sessions(ctx, host.addr, host.table)
		if err != nil {
			return err
		}
		for _, s := range all {
			if !sides[side{s.Protocol, s.Peer}] && !sides[side{0, netip.AddrPortFrom(s.Peer.Addr(), 0)}] {
				continue
			}
			if err := h.vpp.endSession(ctx, s, host.table); err != nil && !errors.Is(err, api.NO_SUCH_ENTRY) {
				return err
			}
		}
	}
	return nil
}

// sessionHost is one that has sessions.
type sessionHost struct {
	addr  netip.Addr
	table uint32
}
