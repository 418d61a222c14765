// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/dhcp"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// DHCPRelay forwards the DHCP requests that come in on a table's interfaces to
// servers elsewhere. A table has one for DHCP and one for DHCPv6.
type DHCPRelay struct {
	Table   string
	Source  netip.Addr   // an address of VPP's, by which servers know where the client is; its family is the relay's
	Servers []DHCPServer // one or more, in any order; all are asked
}

// DHCPServer is where a DHCPRelay forwards to.
type DHCPServer struct {
	Addr  netip.Addr
	Table string // in which the server is reached
}

// Key is "dhcp-relay/<table> <family>", the family being ipv4 or ipv6.
func (r DHCPRelay) Key() desiredstate.Key {
	name := inet.Family(r.Source.Is6())
	if r.Table != "" {
		name = r.Table + " " + name
	}
	return desiredstate.Key{Space: "dhcp-relay", Name: name}
}

// Deps lists the tables: VPP would make those that are missing, and keeps those
// that a relay needs.
func (r DHCPRelay) Deps() []desiredstate.Key {
	deps := place.TableDeps(r.Table)
	for _, s := range r.Servers {
		deps = append(deps, place.TableDeps(s.Table)...)
	}
	return deps
}

// Validate wants a source and servers of one family.
func (r DHCPRelay) Validate() error {
	if err := place.CheckTable(r.Table); err != nil {
		return err
	}
	if err := inet.CheckHost("source", r.Source); err != nil {
		return err
	}
	if len(r.Servers) == 0 || len(r.Servers) > 255 {
		return fmt.Errorf("%d servers, want 1 to 255", len(r.Servers))
	}
	seen := make(map[DHCPServer]bool, len(r.Servers))
	for _, s := range r.Servers {
		if err := place.CheckTable(s.Table); err != nil {
			return err
		}
		if err := checkRelayServer(s.Addr); err != nil {
			return err
		}
		if s.Addr.Is6() != r.Source.Is6() {
			return fmt.Errorf("server %v and source %v are of two families", s.Addr, r.Source)
		}
		if seen[s] {
			return fmt.Errorf("server %v is there twice", s.Addr)
		}
		seen[s] = true
	}
	return nil
}

// checkRelayServer lets groups pass: DHCPv6 servers have one, ff05::1:3.
func checkRelayServer(a netip.Addr) error {
	if a.Is6() && !a.Is4In6() && a.Zone() == "" && a.IsMulticast() {
		return nil
	}
	return inet.CheckHost("server", a)
}

// ports are where VPP listens for clients and servers.
func (r DHCPRelay) ports() []uint16 {
	if r.Source.Is6() {
		return []uint16{546, 547}
	}
	return []uint16{67, 68}
}

// DHCPRelays manages the relays of our tables, and of those that are claimed
// (dhcp_proxy_config). Servers change in place, another source replaces. Who listens at DHCP's UDP ports
// would be deaf from then on; a relay is refused then.
func DHCPRelays(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[DHCPRelay] {
	k := relays{c, dhcp.NewServiceClient(c), tableScope{"DHCPRelays", claims}}
	taken := vppnet.UDPListeners(c, true)
	return &desiredstate.Kind[DHCPRelay]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "dhcp-relay",
		Requires: []desiredstate.AnyKind{Tables(c)},
		Messages: c.Uses(&dhcp.DHCPProxyDump{}, &dhcp.DHCPProxyConfig{}),
		Dump:     k.dump,
		Check:    func(v *desiredstate.View, r DHCPRelay) error { return k.check(v, r.Table) },
		Create: func(ctx context.Context, v *desiredstate.View, r DHCPRelay) (uint32, error) {
			id, err := k.take(v, r.Table)
			if err != nil {
				return 0, err
			}
			if err := taken(ctx, r.ports()...); err != nil {
				return 0, err
			}
			done, err := k.turn(ctx, r)
			if err != nil {
				return 0, err
			}
			defer done()
			return id, k.each(ctx, v, id, r.Source, r.Servers, true)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[DHCPRelay], want DHCPRelay) error {
			done, err := k.turn(ctx, want)
			if err != nil {
				return err
			}
			defer done()
			missing := func(list, of []DHCPServer) []DHCPServer {
				return slices.DeleteFunc(slices.Clone(of), func(s DHCPServer) bool { return slices.Contains(list, s) })
			}
			if err := k.each(ctx, v, have.ID, want.Source, missing(have.Spec.Servers, want.Servers), true); err != nil {
				return err
			}
			return k.each(ctx, v, have.ID, want.Source, missing(want.Servers, have.Spec.Servers), false)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[DHCPRelay]) error {
			done, err := k.turn(ctx, have.Spec)
			if err != nil {
				return err
			}
			defer done()
			if !have.Spec.Source.Is6() {
				return k.each(ctx, v, have.ID, have.Spec.Source, have.Spec.Servers, false)
			}
			off, err := k.configs(v, have.ID, have.Spec.Source, have.Spec.Servers, false)
			if err != nil {
				return err
			}
			again, err := k.listen(ctx, have.ID)
			if err != nil {
				return err
			}
			return place.AtOnce(ctx, k.c, append(off, again...)...)
		},
		Fill: func(have desiredstate.Actual[DHCPRelay], want DHCPRelay) DHCPRelay {
			if slices.Equal(sortedServers(have.Spec.Servers), sortedServers(want.Servers)) {
				want.Servers = have.Spec.Servers
			}
			return want
		},
		InPlace: func(have desiredstate.Actual[DHCPRelay], want DHCPRelay) bool { return have.Spec.Source == want.Source },
	}
}

type relays struct {
	c   *vppnet.Conn
	vpp dhcp.RPCService
	tableScope
}

func (k relays) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[DHCPRelay], err error) {
	for _, is6 := range []bool{false, true} {
		all, err := vppnet.Collect(k.vpp.DHCPProxyDump(ctx, &dhcp.DHCPProxyDump{IsIP6: is6}))
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			if !k.has(v, d.RxVrfID) {
				continue
			}
			r := DHCPRelay{Source: inet.ReadUnion(d.DHCPSrcAddress.Un, is6)} // the family that it names is always IPv4
			r.Table, _ = place.TableName(v, d.RxVrfID)
			for _, s := range d.Servers {
				table, _ := place.TableName(v, s.ServerVrfID)
				r.Servers = append(r.Servers, DHCPServer{Addr: inet.ReadUnion(s.DHCPServer.Un, is6), Table: table})
			}
			out = append(out, desiredstate.Actual[DHCPRelay]{ID: d.RxVrfID, Spec: r})
		}
	}
	return out, nil
}

// configs add or remove servers of a table; they may be sent again.
func (k relays) configs(v *desiredstate.View, rx uint32, source netip.Addr, servers []DHCPServer, add bool) (out []api.Message, err error) {
	for _, s := range servers {
		table, err := place.TableID(v, s.Table)
		if errors.Is(err, desiredstate.ErrMissing) && !add {
			continue // VPP keeps the tables of a relay
		}
		if err != nil {
			return nil, err
		}
		out = append(out, &dhcp.DHCPProxyConfig{
			RxVrfID: rx, ServerVrfID: table, IsAdd: add, DHCPServer: inet.Address(s.Addr), DHCPSrcAddress: inet.Address(source),
		})
	}
	return out, nil
}

func (k relays) each(ctx context.Context, v *desiredstate.View, rx uint32, source netip.Addr, servers []DHCPServer, add bool) error {
	all, err := k.configs(v, rx, source, servers, add)
	for _, m := range all {
		if err == nil {
			err = k.c.Invoke(ctx, m, new(dhcp.DHCPProxyConfigReply))
		}
	}
	return err
}

// turn is that of who changes relays of DHCPv6, which VPP does not keep apart: see listen.
func (k relays) turn(ctx context.Context, r DHCPRelay) (done func(), err error) {
	if !r.Source.Is6() {
		return func() {}, nil
	}
	return k.c.Turn(ctx, desiredstate.Key{Space: "dhcp-relay", Name: vppnet.Foreign("ipv6")})
}

// listen is what has VPP listen at DHCPv6's UDP ports again. It stops when a table's relay goes, for all that
// are left, and begins when one comes: so one that is left, whoever's, goes for a moment and comes again.
func (k relays) listen(ctx context.Context, gone uint32) (again []api.Message, err error) {
	all, err := vppnet.Collect(k.vpp.DHCPProxyDump(ctx, &dhcp.DHCPProxyDump{IsIP6: true}))
	left := slices.IndexFunc(all, func(d *dhcp.DHCPProxyDetails) bool { return d.RxVrfID != gone })
	if err != nil || left < 0 {
		return nil, err
	}
	r := all[left]
	for _, add := range []bool{false, true} {
		for _, s := range r.Servers {
			server, source := s.DHCPServer, r.DHCPSrcAddress
			server.Af, source.Af = ip_types.ADDRESS_IP6, ip_types.ADDRESS_IP6 // what VPP says is always IPv4
			again = append(again, &dhcp.DHCPProxyConfig{RxVrfID: r.RxVrfID, ServerVrfID: s.ServerVrfID, IsAdd: add, DHCPServer: server, DHCPSrcAddress: source})
		}
	}
	return again, nil
}

func sortedServers(list []DHCPServer) []DHCPServer {
	return slices.SortedFunc(slices.Values(list), func(a, b DHCPServer) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Table, b.Table))
	})
}
