// SPDX-License-Identifier: Apache-2.0

package dhcp_test

import (
	"testing"

	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/dhcp"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/dhcp"
)

// BenchmarkClients makes 500 clients and takes them away, by the engine and by hand.
func BenchmarkClients(b *testing.B) {
	kindrig.Race(b, kindrig.OnLoopbacks(500, kinds, func(name string, i interface_types.InterfaceIndex) (desiredstate.Object, api.Message, api.Message) {
		q := binding.DHCPClient{SwIfIndex: i, ID: make([]byte, 64)}
		return dhcp.Client{Interface: name}, &binding.DHCPClientConfig{IsAdd: true, Client: q}, &binding.DHCPClientConfig{Client: q}
	}))
}
