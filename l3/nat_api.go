// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"io"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/vppnet"
)

// natAPI is what the NAT kinds need of a variant: the same under other names.
type natAPI interface {
	variant() NATVariant
	messages(parts ...natPart) []api.Message

	settings(context.Context) (natSettings, error)
	enable(context.Context, natSettings) error
	disable(context.Context) error
	setTimeouts(context.Context, natTimeouts) error
	setForwarding(context.Context, bool) error
	setMSS(context.Context, uint16) error // 0: off

	roles(context.Context) (map[uint32]natRole, error) // by interface
	setRole(ctx context.Context, id uint32, r natRole, add bool) error

	addresses(context.Context) ([]natAddress, error)
	setAddress(ctx context.Context, a natAddress, add bool) error

	mappings(context.Context) ([]natMapping, error)
	setMapping(ctx context.Context, m natMapping, add bool) error
	identities(context.Context) ([]natMapping, error)
	setIdentity(ctx context.Context, m natMapping, add bool) error

	hosts(context.Context) ([]natHost, error)
	sessions(ctx context.Context, host netip.Addr, table uint32) ([]NATSession, error)
	endSession(ctx context.Context, s NATSession, table uint32) error
}

func newNAT(c *vppnet.Conn, variant NATVariant) natAPI {
	if variant == EndpointIndependent {
		return newNATEI(c)
	}
	return newNATED(c)
}

// natPart is a share of a variant's messages.
type natPart uint8

const (
	natReads natPart = iota // the settings
	natWrites
	natRoles
	natPool
	natMaps
	natSessions
)

// parts picks from all messages.
func parts(all map[natPart][]api.Message, which []natPart) (out []api.Message) {
	for _, p := range which {
		out = append(out, all[p]...)
	}
	return out
}

// natRole is what an interface is to NAT: inside, outside or both, or output.
type natRole uint8

const (
	roleInside natRole = 1 << iota
	roleOutside
	roleOutput
)

// each calls f for each of the roles in r, until one fails.
func (r natRole) each(f func(natRole) error) error {
	for one := roleInside; one <= roleOutput; one <<= 1 {
		if r&one != 0 {
			if err := f(one); err != nil {
				return err
			}
		}
	}
	return nil
}

type natAddress struct {
	addr  netip.Addr
	table uint32 // anyTable: all
	twice bool
}

// anyTable is VPP's word for all tables.
const anyTable = ^uint32(0)

// natMapping is a static mapping, or an identity mapping, whose local address and
// port are the external ones.
type natMapping struct {
	local, external         netip.Addr
	localPort, externalPort uint16
	protocol                uint8 // 0: address only
	twice, self, oneWay     bool
	table                   uint32
	tag                     string
}

// noIndex is VPP's word for no interface.
const noIndex = ^interface_types.InterfaceIndex(0)

// pages reads what VPP hands out in pages: open begins at a cursor, and next is
// where the reply says to go on.
func pages[D, R any](open func(cursor uint32) (recv func() (D, R, error), err error), next func(R) uint32) (out []D, err error) {
	for cursor := uint32(0); ; {
		recv, err := open(cursor)
		if err != nil {
			return nil, err
		}
		for {
			d, r, err := recv()
			if errors.Is(err, io.EOF) {
				return out, nil
			}
			if errors.Is(err, api.EAGAIN) {
				cursor = next(r)
				break
			}
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		}
	}
}
