// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/binapi/arping"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// Announce tells the hosts on the link of the interface with this index that it has
// these addresses (arping, gratuitous): one frame for each, an ARP request for an IPv4
// address, an advertisement for an IPv6 one. VPP does not, when an address or a link
// comes up, so hosts that know another MAC for one keep to it. Only a vrrp.Router
// does.
//
// It needs VPP's arping plugin. VPP dies of it on an interface without a MAC, such as
// local0, so the interface is looked at first, in a round trip. It goes on after an
// address that fails, and returns all errors.
func Announce(ctx context.Context, c *vppnet.Conn, index uint32, addrs ...netip.Addr) error {
	c.Uses(&arping.Arping{}, &interfaces.SwInterfaceDump{})
	if err := checkEthernet(ctx, c, index); err != nil {
		return err
	}
	vpp := arping.NewServiceClient(c)
	var errs []error
	for _, a := range addrs {
		if err := inet.CheckHost("address", a); err != nil {
			errs = append(errs, err)
			continue
		}
		// Without a second frame to wait for, VPP answers at once.
		_, err := vpp.Arping(ctx, &arping.Arping{
			Address: inet.Address(a), SwIfIndex: interface_types.InterfaceIndex(index), IsGarp: true, Repeat: 1,
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("%v: %w", a, err))
		}
	}
	return errors.Join(errs...)
}
