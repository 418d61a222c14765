// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/vppnet"
)

// NATSession is a session of a host, as VPP has it.
type NATSession struct {
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

// NATSessions reads the sessions of a host in the table with this number. VPP goes
// through all sessions of all hosts for it, while its workers stand still. If the NAT of
// the variant is off, of which VPP could die, that is an error.
func NATSessions(ctx context.Context, c *vppnet.Conn, variant NATVariant, host netip.Addr, table uint32) ([]NATSession, error) {
	if err := check4("host", host); err != nil {
		return nil, err
	}
	vpp := newNAT(c, variant)
	c.Uses(vpp.messages(natReads, natSessions)...)
	if err := checkSessions(ctx, vpp); err != nil {
		return nil, err
	}
	return vpp.sessions(ctx, host, table)
}

// EndNATSessions ends those sessions of a host for which which is true, and returns
// how many. A host that has just got a mapping uses it for what it begins from then
// on; ending its other sessions makes it use the mapping for all.
func EndNATSessions(ctx context.Context, c *vppnet.Conn, variant NATVariant, host netip.Addr, table uint32, which func(NATSession) bool) (ended int, err error) {
	all, err := NATSessions(ctx, c, variant, host, table)
	if err != nil {
		return 0, err
	}
	vpp := newNAT(c, variant)
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
