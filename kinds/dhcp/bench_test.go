// SPDX-License-Identifier: Apache-2.0

package dhcp_test

import (
	"fmt"
	"testing"

	binding "go.fd.io/govpp/binapi/dhcp"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/dhcp"
	"github.com/vppkit/vppkit/vppnet"
)

// BenchmarkClients makes 500 clients and takes them away, by the engine and by hand.
func BenchmarkClients(b *testing.B) {
	x := kindrig.Contest{Kinds: kinds}
	for i := range 500 {
		name, index := fmt.Sprint("lo", i), interface_types.InterfaceIndex(i+1)
		x.Base = append(x.Base, vppnet.Loopback{Name: name})
		x.Before = append(x.Before, &interfaces.CreateLoopback{})
		x.Want = append(x.Want, dhcp.Client{Interface: name})
		x.Add = append(x.Add, &binding.DHCPClientConfig{IsAdd: true, Client: binding.DHCPClient{SwIfIndex: index, ID: make([]byte, 64)}})
		x.Del = append(x.Del, &binding.DHCPClientConfig{Client: binding.DHCPClient{SwIfIndex: index, ID: make([]byte, 64)}})
	}
	kindrig.Race(b, x)
}
