// SPDX-License-Identifier: Apache-2.0

package dhcp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"
	"unicode/utf8"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/dhcp"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// Client asks for an address of an interface, and for the way out that comes with it. The zero
// value of the rest tells the server nothing more.
type Client struct {
	Interface string // with a MAC
	Hostname  string // at most 63 bytes
	ID        string // by which the server knows the client, at most 63 bytes; "": by its MAC
	Broadcast bool   // the server is asked to answer all, for who takes nothing for an address that it does not have yet
	DSCP      uint8  // of what is sent, 0 to 63

	odd string // of one that was found: what no Client can say
}

// ClientKey is the key of the Client of an interface.
func ClientKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "dhcp-client", Name: iface}
}

// Key is ClientKey(c.Interface).
func (c Client) Key() desiredstate.Key { return ClientKey(c.Interface) }

// Deps lists the interface.
func (c Client) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(c.Interface)}
}

// Validate checks names, and refuses what VPP would cut.
func (c Client) Validate() error {
	if c.DSCP > 63 {
		return fmt.Errorf("DSCP %d, want at most 63", c.DSCP)
	}
	return cmp.Or(vppnet.CheckRef("interface", c.Interface), checkText("hostname", c.Hostname), checkText("ID", c.ID))
}

// longest is what VPP keeps of a text, in bytes.
const longest = 63

func checkText(what, text string) error {
	switch {
	case len(text) > longest:
		return fmt.Errorf("%s has %d bytes, want at most %d", what, len(text), longest)
	case strings.Contains(text, "\x00"):
		return errors.New(what + " has a zero byte")
	case !utf8.ValidString(text):
		return errors.New(what + " is no UTF-8")
	}
	return nil
}

// Clients manages the DHCP clients of our interfaces, and of those that are claimed
// (dhcp_client_config). One that is changed is made anew, and gives up its lease. While somebody's tunnel
// listens at UDP port 68 it is refused: one of the two would be deaf.
//
// VPP puts the host name that a server gives in the place of the one that it was told, and shows that; it is
// no difference.
//
// A lease becomes an address of the interface, and a route that is not the API's. An engine that
// also has l3.Addresses takes an address that nobody wants for one that has to go: tell that kind
// to leave the interface to DHCP, by vppnet.DisclaimInterfaces. [Leases] says what was learnt.
func Clients(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Client] {
	k := clients{c, dhcp.NewServiceClient(c), claims, vppnet.UDPListeners(c, true)}
	return iface.On(c, claims, &desiredstate.Kind[Client]{
		Name:     "dhcp-client",
		Messages: iface.Uses(c, &interfaces.SwInterfaceDump{}, &dhcp.DHCPClientConfig{}, &dhcp.DHCPClientDump{}, &ip.IPAddressDump{}, &memclnt.ControlPing{}),
		Dump:     k.dump,
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Client]) error {
			// VPP says so of an interface that has none.
			return vppnet.Gone(k.set(ctx, have.ID, have.Spec, false), api.INVALID_VALUE, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[Client], want Client) Client {
			if have.Note == mark(want.Hostname) {
				want.Hostname = have.Spec.Hostname // perhaps the server's word
			}
			return want
		},
	}, k.put)
}

type clients struct {
	c      *vppnet.Conn
	vpp    dhcp.RPCService
	claims iface.Scope
	taken  func(ctx context.Context, ports ...uint16) error
}

func (k clients) all(ctx context.Context) ([]*dhcp.DHCPClientDetails, error) {
	return vppnet.Collect(k.vpp.DHCPClientDump(ctx, &dhcp.DHCPClientDump{}))
}

func (k clients) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Client], err error) {
	all, err := k.all(ctx)
	if err != nil {
		return nil, err
	}
	var ours []*dhcp.DHCPClientDetails
	for _, d := range all {
		if i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.Client.SwIfIndex)); ok {
			a := desiredstate.Actual[Client]{ID: i.ID, Foreign: !k.claims.Has(i), Note: d.Client.PID, Spec: decode(d.Client, i.Spec.Name)}
			if out = append(out, a); !a.Foreign {
				ours = append(ours, d)
			}
		}
	}
	why, err := k.lost(ctx, v, ours)
	for i, a := range out {
		out[i].Broken = why[interface_types.InterfaceIndex(a.ID)]
	}
	return out, err
}

func (k clients) put(ctx context.Context, _ *desiredstate.View, id uint32, x Client) error {
	if err := iface.CheckMAC(ctx, k.c, id); err != nil { // VPP dies of one without, as soon as that is up
		return err
	}
	if err := k.taken(ctx, 68); err != nil { // where answers come in
		return err
	}
	err := k.set(ctx, id, x, true)
	if !errors.Is(err, api.INVALID_VALUE) {
		return err
	}
	// There is one, which what had this index before left behind: see lost.
	if err := vppnet.Gone(k.set(ctx, id, x, false), api.INVALID_VALUE); err != nil {
		return err
	}
	return k.set(ctx, id, x, true)
}

func (k clients) set(ctx context.Context, id uint32, x Client, add bool) error {
	q := dhcp.DHCPClient{
		SwIfIndex: interface_types.InterfaceIndex(id), Hostname: x.Hostname, ID: make([]byte, longest+1), SetBroadcastFlag: x.Broadcast, Dscp: ip_types.IPDscp(x.DSCP), PID: mark(x.Hostname),
	}
	copy(q.ID, x.ID)
	_, err := k.vpp.DHCPClientConfig(ctx, &dhcp.DHCPClientConfig{IsAdd: add, Client: q})
	return err
}

// mark tells which host name a client was told: VPP keeps it as the process that hears of its lease, which is
// nobody here.
func mark(hostname string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(hostname))
	return h.Sum32()
}

func decode(d dhcp.DHCPClient, name string) Client {
	id, _, _ := bytes.Cut(d.ID, []byte{0})
	c := Client{Interface: name, Hostname: d.Hostname, ID: string(id), Broadcast: d.SetBroadcastFlag, DSCP: uint8(d.Dscp)}
	if d.WantDHCPEvent {
		c.odd = "tells somebody of its lease"
	}
	return c
}

// Lease is what a client has learnt.
type Lease struct {
	Bound   bool         // it has an address
	Address netip.Prefix // of the interface; zero: none yet
	Router  netip.Addr   // the way out; zero: none
	DNS     []netip.Addr
}

// Leases reads what the clients of these interfaces have learnt, by VPP's index, as a Report has
// it (dhcp_client_dump): what has no client is not in it.
func Leases(ctx context.Context, c *vppnet.Conn) (map[uint32]Lease, error) {
	c.Uses(&dhcp.DHCPClientDump{}, &memclnt.ControlPing{})
	all, err := vppnet.Collect(dhcp.NewServiceClient(c).DHCPClientDump(ctx, &dhcp.DHCPClientDump{}))
	out := make(map[uint32]Lease, len(all))
	for _, d := range all {
		l := Lease{Bound: d.Lease.State == dhcp.DHCP_CLIENT_STATE_API_BOUND}
		if a := inet.Read(d.Lease.HostAddress); !a.IsUnspecified() {
			l.Address = netip.PrefixFrom(a, int(d.Lease.MaskWidth))
		}
		if r := inet.Read(d.Lease.RouterAddress); !r.IsUnspecified() {
			l.Router = r
		}
		for _, s := range d.Lease.DomainServer {
			l.DNS = append(l.DNS, inet.Read(s.Address))
		}
		out[uint32(d.Client.SwIfIndex)] = l
	}
	return out, err
}
