// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Session is a session of a host, as VPP has it.
type Session struct {
	Protocol uint8 // IP number
	Static   bool  // by a mapping

	Inside  netip.AddrPort // the host
	Outside netip.AddrPort // what the world sees of it

	Peer       netip.AddrPort // whom it speaks to; endpoint-dependent only
	PeerInside netip.AddrPort // what the host sees of the peer, if that is something else (twice-NAT, hairpinning)

	Packets, Bytes uint64
	Idle           time.Duration // whole seconds
}

func addrPort(a [4]byte, port uint16) netip.AddrPort {
	if a == ([4]byte{}) {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom4(a), port)
}

func seconds(n uint64) time.Duration { return time.Duration(n) * time.Second }

// Sessions reads the sessions of a host in the table with this number. VPP goes
// through all sessions of all hosts for it, while its workers stand still. If the NAT of
// the variant is off, of which VPP could die, that is an error.
func Sessions(ctx context.Context, c *vppnet.Conn, variant Variant, host netip.Addr, table uint32) ([]Session, error) {
	if err := check4("host", host); err != nil {
		return nil, err
	}
	vpp := newClient(c, variant)
	c.Uses(vpp.messages(partReads, partSessions)...)
	if err := checkSessions(ctx, vpp); err != nil {
		return nil, err
	}
	return vpp.sessions(ctx, host, table)
}

// EndSessions ends those sessions of a host for which which is true, and returns
// how many. A host that has just got a mapping uses it for what it begins from then
// on; ending its other sessions makes it use the mapping for all.
func EndSessions(ctx context.Context, c *vppnet.Conn, variant Variant, host netip.Addr, table uint32, which func(Session) bool) (ended int, err error) {
	all, err := Sessions(ctx, c, variant, host, table)
	if err != nil {
		return 0, err
	}
	vpp := newClient(c, variant)
	for _, s := range all {
		if !which(s) {
			continue
		}
		switch e := vpp.endSession(ctx, s, table); {
		case errors.Is(e, api.NO_SUCH_ENTRY): // it has ended by itself
		case e != nil:
			err = errors.Join(err, e)
		default:
			ended++
		}
	}
	return ended, err
}

// checkSessions reports why NAT cannot be asked for sessions. VPP looks for them in
// tables that it has only while it keeps any.
func checkSessions(ctx context.Context, vpp client) error {
	s, err := vpp.settings(ctx)
	switch {
	case err != nil:
		return err
	case s.sessions == 0:
		return fmt.Errorf("%w: %s NAT is off, so there are no sessions; turn it on with a nat.Plugin, or ask the other variant", desiredstate.ErrMissing, vpp.variant())
	case s.stateless:
		return errors.New("somebody has turned NAT on for static mappings alone, of which it keeps no sessions; turn it off and on with a nat.Plugin")
	}
	return nil
}
