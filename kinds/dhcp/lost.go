// SPDX-License-Identifier: Apache-2.0

package dhcp

import (
	"context"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/dhcp"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// VPP keeps the client of an interface that goes, and takes it for one of what gets its index. There it
// hears no answer, or has an address that the interface does not have.

// detect is on while a client waits for an answer.
var detect = iface.Feature{Arc: "ip4-unicast", End: "ip4-lookup", Name: "ip4-dhcp-client-detect"}

// lost says, by interface, why clients that VPP lists have no effect. An answer may come in between any two
// questions, so a client that seems to have none has to be as it was at a second look.
func (k clients) lost(ctx context.Context, v *desiredstate.View, all []*dhcp.DHCPClientDetails) (map[interface_types.InterfaceIndex]string, error) {
	why := map[interface_types.InterfaceIndex]string{}
	if err := k.deaf(ctx, all, why); err != nil {
		return nil, err
	}
	if err := k.bare(ctx, v, all, why); err != nil || len(why) == 0 {
		return nil, err
	}
	again, err := k.all(ctx)
	now := make(map[interface_types.InterfaceIndex]dhcp.DHCPLease, len(again))
	for _, d := range again {
		now[d.Client.SwIfIndex] = d.Lease
	}
	for _, d := range all {
		if l, is := now[d.Client.SwIfIndex]; !is || l.State != d.Lease.State || l.HostAddress != d.Lease.HostAddress {
			delete(why, d.Client.SwIfIndex)
		}
	}
	return why, err
}

// deaf finds those who wait for an answer, and would not hear it.
func (k clients) deaf(ctx context.Context, all []*dhcp.DHCPClientDetails, why map[interface_types.InterfaceIndex]string) error {
	var wait []uint32
	for _, d := range all {
		if d.Lease.State != dhcp.DHCP_CLIENT_STATE_API_BOUND && iface.Asks(k.c) {
			wait = append(wait, uint32(d.Client.SwIfIndex))
		}
	}
	on, err := iface.AreOn(ctx, k.c, []iface.Feature{detect}, wait...)
	for i := range on {
		if !on[i][0] {
			why[interface_types.InterfaceIndex(wait[i])] = "it hears no answer, as the interface that it was made for has gone"
		}
	}
	return err
}

// bare finds those whose interface does not have their address, though nobody's is in its way: VPP takes no
// address that overlaps one, and a client that is made anew would get it again.
func (k clients) bare(ctx context.Context, v *desiredstate.View, all []*dhcp.DHCPClientDetails, why map[interface_types.InterfaceIndex]string) error {
	address := map[interface_types.InterfaceIndex]netip.Prefix{}
	var ids []uint32
	for _, d := range all {
		if a := inet.Read(d.Lease.HostAddress); !a.IsUnspecified() {
			address[d.Client.SwIfIndex] = netip.PrefixFrom(a, int(d.Lease.MaskWidth))
			ids = append(ids, uint32(d.Client.SwIfIndex))
		}
	}
	has, err := k.addresses(ctx, ids)
	for _, d := range has {
		if p := inet.ReadPrefix(ip_types.Prefix(d.Prefix)); p == address[d.SwIfIndex] {
			delete(address, d.SwIfIndex)
		}
	}
	if err != nil || len(address) == 0 {
		return err
	}
	ids = nil
	for i := range desiredstate.All[vppnet.Interface](v) {
		ids = append(ids, i.ID)
	}
	if has, err = k.addresses(ctx, ids); err != nil {
		return err
	}
	for id, a := range address {
		free := true
		for _, d := range has {
			free = free && !inet.ReadPrefix(ip_types.Prefix(d.Prefix)).Overlaps(a)
		}
		if free {
			why[id] = "its address went with the interface that it was made for"
		}
	}
	return nil
}

// addresses are those of interfaces, of IPv4.
func (k clients) addresses(ctx context.Context, ids []uint32) ([]*ip.IPAddressDetails, error) {
	var requests []api.Message
	for _, id := range ids {
		requests = append(requests, &ip.IPAddressDump{SwIfIndex: interface_types.InterfaceIndex(id)})
	}
	answers, err := vppnet.Ask(ctx, k.c, requests...)
	if err != nil {
		return nil, err
	}
	return vppnet.As[*ip.IPAddressDetails](answers)
}
