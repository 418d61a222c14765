// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// decoder is a tap service whose port decodes ERSPAN; two with one number want one interface.
func decoder(port string, number int) string {
	return fmt.Sprintf(`{"tap_service":{"port_id":%q,"erspan_dst_ip":"192.0.2.9"},"taas_id":%d,"dest_type":"ERSPAN_INT"}`, port, number)
}

// A service that wants what another one has comes when that goes, in one burst or later, and somebody is told.
func TestARefusedServiceComes(t *testing.T) {
	one, two := translate.TapServices+uid(8), translate.TapServices+uid(7)
	for _, bursts := range []int{1, 2} {
		t.Run(fmt.Sprint(bursts), func(t *testing.T) {
			b := newBox(t, node)
			told := map[string]bool{}
			b.Moved = func(source string) { told[source] = true }
			for n := 1; n <= 2; n++ {
				b.put(node.Ports()+uid(n), portIn(n, 101))
			}
			b.put(node.Keys()+one, decoder(uid(1), 500))
			b.settle()
			b.put(node.Keys()+two, decoder(uid(2), 500))
			if bursts == 2 {
				b.settle()
				_, _, wrong := b.LookTap(two)
				require.Error(t, wrong)
			}
			clear(told)
			b.put(node.Keys()+one, "")
			b.settle()
			_, served, wrong := b.LookTap(two)
			require.NoError(t, wrong)
			require.True(t, served)
			require.True(t, told[OfUnserved(two)])
		})
	}
}

// Copies do not go by a VLAN, or a VNI, of a network of the host, whichever comes first, and go by it when the network
// is gone: a port has its network, and the flow is refused.
func TestCopiesGoByNoNetwork(t *testing.T) {
	over := node
	over.Overlay = translate.VXLAN{Underlay: node.Underlay("p1", netip.MustParsePrefix("192.0.2.1/24"))}
	flow := `{"tap_flow":{"tap_service_id":%q,"source_port":%q,"direction":"BOTH"},"taas_id":101,"tf_host":"h1","ts_host":"h3"}`
	name := translate.TapFlows + uid(6)
	leg := `{"loopback_mac":"fa:16:3e:02:00:01","vrf_id":1,"mtu":1500,"physnet":"p1","net_type":"vlan","segmentation_id":101,` +
		`"gateway_ip":"10.0.1.1","prefixlen":24,"is_ipv6":false}`
	vni := `{"mac_address":"fa:16:3e:00:00:02","network_type":"vxlan","segmentation_id":101,"binding_type":"vhostuser","port_security_enabled":false}`
	by := map[string]string{"vlan": `"network_type":"vlan"`, "vxlan": `"network_type":"vxlan","underlay":"192.0.2.3"`}
	for _, c := range []struct{ by, key, value, err string }{
		{"vlan", node.Ports() + uid(2), portIn(2, 101), "taas_id: 101 is the VLAN of a network"},
		{"vlan", node.Routers() + uid(3) + "/" + uid(4), leg, "taas_id: 101 is the VLAN of a network"},
		{"vlan", node.Ports() + uid(2), vni, ""},
		{"vxlan", node.Ports() + uid(2), vni, "taas_id: 101 is the VNI of a network"},
		{"vxlan", node.Ports() + uid(2), portIn(2, 101), ""},
	} {
		b := newBox(t, over)
		says := func(want string) {
			t.Helper()
			_, served, wrong := b.LookTap(name)
			if want == "" {
				require.NoError(t, wrong)
			} else {
				require.ErrorContains(t, wrong, want)
			}
			require.Equal(t, want == "", served)
		}
		b.etcd[translate.TapState("h3", translate.TapServices+uid(5))] = `{"service_bridge":{"physnet":"p1",` + by[c.by] + `}}`
		b.put(node.Ports()+uid(1), portIn(1, 102))
		b.put(node.Keys()+name, fmt.Sprintf(flow, uid(5), uid(1)))
		b.settle()
		says("")
		b.put(c.key, c.value)
		b.settle()
		says(c.err)
		b = b.restarted()
		says(c.err)
		b.put(c.key, "")
		b.settle()
		says("")
	}
}
