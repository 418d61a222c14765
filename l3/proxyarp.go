// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/arp"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// ProxyARPRange has VPP answer ARP for addresses that are elsewhere: for all from
// Low to High, on the interfaces in the table that have a [ProxyARP].
type ProxyARPRange struct {
	Table     string
	Low, High netip.Addr // IPv4, both included
}

// Key is "proxy-arp-range/<table> <low>-<high>".
func (r ProxyARPRange) Key() desiredstate.Key {
	name := r.Low.String() + "-" + r.High.String()
	if r.Table != "" {
		name = r.Table + " " + name
	}
	return desiredstate.Key{Space: "proxy-arp-range", Name: name}
}

// Deps lists the table, because the next one would have the range.
func (r ProxyARPRange) Deps() []desiredstate.Key { return place.TableDeps(r.Table) }

// Validate wants two IPv4 addresses in order; VPP would take them in any, and
// answer for none.
func (r ProxyARPRange) Validate() error {
	if err := place.CheckTable(r.Table); err != nil {
		return err
	}
	switch {
	case !r.Low.Is4() || !r.High.Is4():
		return fmt.Errorf("range %v to %v: want two IPv4 addresses", r.Low, r.High)
	case r.High.Less(r.Low):
		return fmt.Errorf("range %v to %v: the high end is below the low one", r.Low, r.High)
	}
	return nil
}

// ClaimTables claims the tables whose names f accepts, as DefaultTable. Nobody
// else may put what the kind manages into them.
func ClaimTables(f func(name string) bool) vppnet.Claim { return vppnet.Claims(f) }

// tableScope says which tables a kind manages: ours, and those that are claimed.
type tableScope struct {
	constructor string
	claims      []vppnet.Claim
}

func (s tableScope) has(v *desiredstate.View, id uint32) bool {
	name, ours := place.TableName(v, id)
	if name == "" {
		name = DefaultTable
	}
	return vppnet.Ours(name, ours, s.claims)
}

func (s tableScope) take(v *desiredstate.View, name string) (uint32, error) {
	id, err := place.TableID(v, name)
	if err == nil && !s.has(v, id) {
		err = fmt.Errorf("%w: table number %d: name one of ours, or give %s an l3.ClaimTables of it", desiredstate.ErrForeign, id, s.constructor)
	}
	return id, err
}

// check says at planning what take would say, but for a table that is still to come.
func (s tableScope) check(v *desiredstate.View, name string) error {
	if _, err := s.take(v, name); !errors.Is(err, desiredstate.ErrMissing) {
		return err
	}
	return nil
}

// ProxyARPRanges manages the ranges of our tables, and of those that are claimed
// (proxy_arp_add_del). There is nothing to change in place.
//
// VPP before 25.10 does not tell which table a range is in, unless it is the
// default one: there, ranges in other tables are not seen, and those that are wanted
// are refused.
func ProxyARPRanges(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[ProxyARPRange] {
	vpp, s := arp.NewServiceClient(c), tableScope{"ProxyARPRanges", claims}
	send := func(ctx context.Context, table uint32, r ProxyARPRange, add bool) error {
		_, err := vpp.ProxyArpAddDel(ctx, &arp.ProxyArpAddDel{IsAdd: add, Proxy: arp.ProxyArp{
			TableID: table, Low: ip_types.IP4Address(r.Low.As4()), Hi: ip_types.IP4Address(r.High.As4()),
		}})
		return err
	}
	return &desiredstate.Kind[ProxyARPRange]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "proxy-arp-range",
		Requires: []desiredstate.AnyKind{Tables(c)},
		Messages: c.Uses(&arp.ProxyArpDump{}, &arp.ProxyArpAddDel{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[ProxyARPRange], err error) {
			all, err := vppnet.Collect(vpp.ProxyArpDump(ctx, &arp.ProxyArpDump{}))
			for _, d := range all {
				id := d.Proxy.TableID
				if id != 0 && hidesTables(c.VPP().Version) || !s.has(v, id) {
					continue
				}
				name, _ := place.TableName(v, id)
				out = append(out, desiredstate.Actual[ProxyARPRange]{ID: id, Spec: ProxyARPRange{
					Table: name, Low: netip.AddrFrom4(d.Proxy.Low), High: netip.AddrFrom4(d.Proxy.Hi),
				}})
			}
			return out, err
		},
		Check: func(v *desiredstate.View, r ProxyARPRange) error {
			if r.Table != "" && r.Table != DefaultTable && hidesTables(c.VPP().Version) {
				return fmt.Errorf("%w: VPP %s does not tell which table a proxy ARP range is in, so one in table %s would be lost sight of; use VPP 25.10 or later",
					desiredstate.ErrInvalid, c.VPP().Version, r.Table)
			}
			return s.check(v, r.Table)
		},
		Create: func(ctx context.Context, v *desiredstate.View, r ProxyARPRange) (uint32, error) {
			id, err := s.take(v, r.Table)
			if err != nil {
				return 0, err
			}
			return id, send(ctx, id, r, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[ProxyARPRange]) error {
			return vppnet.Gone(send(ctx, have.ID, have.Spec, false), api.NO_SUCH_ENTRY, api.NO_SUCH_FIB)
		},
	}
}

// hidesTables is true of the VPPs that show an internal index for the table.
func hidesTables(version string) bool {
	return slices.ContainsFunc([]string{"24.", "25.02", "25.06"}, func(v string) bool { return strings.HasPrefix(version, v) })
}

// ProxyARP has an interface answer ARP for the ranges of its table.
type ProxyARP struct {
	Interface string
}

// Key is "proxy-arp/<interface>".
func (p ProxyARP) Key() desiredstate.Key {
	return desiredstate.Key{Space: "proxy-arp", Name: p.Interface}
}

// Deps lists the interface, because the next one with its index would answer.
func (p ProxyARP) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(p.Interface)}
}

// Validate checks the name.
func (p ProxyARP) Validate() error { return vppnet.CheckRef(place.InterfaceSpace, p.Interface) }

// ProxyARPs manages which of our interfaces, of those in tables of ours, and of
// those that are claimed, answer ARP for others (proxy_arp_intfc_enable_disable). On somebody
// else's interface, which is not claimed, that depends on the Membership.
func ProxyARPs(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[ProxyARP] {
	vpp, s := arp.NewServiceClient(c), place.Scope(claims)
	set := func(ctx context.Context, id uint32, on bool) error {
		_, err := vpp.ProxyArpIntfcEnableDisable(ctx, &arp.ProxyArpIntfcEnableDisable{SwIfIndex: interface_types.InterfaceIndex(id), Enable: on})
		return err
	}
	return place.Looking(c, s, func(ProxyARP) bool { return false }, &desiredstate.Kind[ProxyARP]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "proxy-arp",
		Requires: Places(c),
		Deps:     func(x ProxyARP) []desiredstate.Key { return s.Deps(x.Interface) },
		Shares:   func(x ProxyARP) []desiredstate.Key { return vppnet.UseKeys(x.Interface) },
		Messages: c.Uses(&arp.ProxyArpIntfcDump{}, &arp.ProxyArpIntfcEnableDisable{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[ProxyARP], err error) {
			all, err := vppnet.Collect(vpp.ProxyArpIntfcDump(ctx, &arp.ProxyArpIntfcDump{}))
			for _, d := range all {
				if s.In(v, d.SwIfIndex, TableOf(v, d.SwIfIndex, false)) {
					out = append(out, desiredstate.Actual[ProxyARP]{ID: d.SwIfIndex, Spec: ProxyARP{Interface: place.InterfaceName(v, d.SwIfIndex)}})
				}
			}
			return out, err
		},
		Check: func(v *desiredstate.View, p ProxyARP) error { return s.Check(v, p.Interface) },
		Create: func(ctx context.Context, v *desiredstate.View, p ProxyARP) (uint32, error) {
			id, err := s.TakeStill(ctx, interfaces.NewServiceClient(c), v, p.Interface, false)
			if err != nil {
				return 0, err
			}
			return id, set(ctx, id, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[ProxyARP]) error {
			return vppnet.Gone(set(ctx, have.ID, false), api.INVALID_SW_IF_INDEX)
		},
	})
}
