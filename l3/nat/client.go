// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"net/netip"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// client is what the NAT kinds need of a variant: the same under other names.
type client interface {
	variant() Variant
	messages(parts ...part) []api.Message

	settings(context.Context) (settings, error)
	enable(context.Context, settings) error
	disable(context.Context) error
	setTimeouts(context.Context, timeouts) error
	setForwarding(context.Context, bool) error
	setMSS(context.Context, uint16) error // 0: off

	roles(context.Context) (map[uint32]place.Role, error) // by interface
	setRole(ctx context.Context, id uint32, r place.Role, add bool) error

	addresses(context.Context) ([]poolAddress, error)
	setAddress(ctx context.Context, a poolAddress, add bool) error

	mappings(context.Context) ([]staticMapping, error)
	setMapping(ctx context.Context, m staticMapping, add bool) error
	identities(context.Context) ([]staticMapping, error)
	setIdentity(ctx context.Context, m staticMapping, add bool) error

	rest(context.Context) ([]rest, error)

	hosts(context.Context) ([]sessionHost, error)
	sessions(ctx context.Context, host netip.Addr, table uint32) ([]Session, error)
	endSession(ctx context.Context, s Session, table uint32) error
}

func newClient(c *vppnet.Conn, variant Variant) client {
	if variant == EndpointIndependent {
		return newEI(c)
	}
	return newED(c)
}

// part is a share of a variant's messages.
type part uint8

const (
	partReads part = iota // the settings
	partWrites
	partRoles
	partPool
	partMaps
	partRest
	partSessions
)

// parts picks from all messages.
func parts(all map[part][]api.Message, which []part) (out []api.Message) {
	for _, p := range which {
		out = append(out, all[p]...)
	}
	return out
}

type poolAddress struct {
	addr  netip.Addr
	table uint32 // anyTable: all
	twice bool
}

// anyTable is VPP's word for all tables.
const anyTable = ^uint32(0)

// staticMapping is a static mapping, or an identity mapping, whose local address and
// port are the external ones.
type staticMapping struct {
	local, external         netip.Addr
	localPort, externalPort uint16
	protocol                uint8 // 0: address only
	twice, self, oneWay     bool
	borrows                 bool // for an interface's address, whatever that is; no kind makes one
	table                   uint32
	tag                     string
}

// settled reads as read does, and leaves out what borrows.
func settled(read func(context.Context) ([]staticMapping, error)) func(context.Context) ([]staticMapping, error) {
	return func(ctx context.Context) ([]staticMapping, error) {
		all, err := read(ctx)
		return slices.DeleteFunc(all, func(m staticMapping) bool { return m.borrows }), err
	}
}

// noIndex is VPP's word for no interface.
const noIndex = interface_types.InterfaceIndex(place.None)
