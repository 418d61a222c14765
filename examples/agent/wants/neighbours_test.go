// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/gpe"
)

// However many keys of other hosts are wrong, so many are kept, and a change of a port does not look at them. Who
// is named is told of, and so is who is not any more.
func TestWrongKeysOfOthers(t *testing.T) {
	over := node
	over.Overlay = translate.GPE{Underlay: node.Underlay("p1", netip.MustParsePrefix("192.0.2.1/24"))}
	b := newBox(t, over)
	told := map[string]bool{}
	b.Moved = func(source string) { told[source] = true }
	gpe := `{"mac_address":"fa:16:3e:00:00:01","network_type":"gpe","segmentation_id":77,"binding_type":"vhostuser","port_security_enabled":false}`
	b.put(over.Ports()+uid(1), gpe)
	b.settle()
	change := func() uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			b.put(over.Ports()+uid(2), portIn(2, 101))
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	alone := change()
	key := func(n int) string { return fmt.Sprintf("77/h9/x%d", n) }
	for n := range mostWrong + 100 {
		b.put(translate.Networks+key(n), "junk")
	}
	b.settle()
	require.Len(t, b.UnservedNames(), mostWrong)
	require.True(t, told[OfUnserved(networks+key(0))])
	require.Error(t, b.Unserved(networks+key(0)))
	require.Less(t, change(), 2*alone, "bytes for a change of a port")

	clear(told)
	b.put(translate.Networks+key(0), "")
	b.put(translate.Networks+key(mostWrong+1), "")
	b.put(translate.Networks+key(mostWrong), "junk again")
	b.settle()
	require.Equal(t, map[string]bool{
		OfPort(uid(2)): true, OfUnserved(networks + key(0)): true, OfUnserved(networks + key(mostWrong)): true,
	}, told)
	clear(told)
	b.put(over.Ports()+uid(1), "") // nobody is in the network any more
	b.settle()
	require.Empty(t, b.UnservedNames())
	require.Empty(t, b.remotes.wrongs)
	require.True(t, told[OfUnserved(networks+key(5))])
}

// Of hosts that have the same routers, one takes over from another that died, and so takes nothing back of what it
// said: whoever serves has the MACs, that of the way out too.
func TestADeadHostsRoutersAreHere(t *testing.T) {
	over := host
	over.HA, over.Overlay = true, translate.GPE{Underlay: host.Underlay("physext", netip.MustParsePrefix("192.0.2.1/24"))}
	b := newBox(t, over)
	leg := fmt.Sprintf(`{"loopback_mac":"fa:16:3e:01:00:01","gateway_ip":"10.3.0.1","prefixlen":24,"net_type":"gpe","segmentation_id":51,"vrf_id":1,"port_id":%q}`, uid(9))
	b.put(over.Routers()+exit, strings.NewReplacer(`"vlan"`, `"gpe"`, `"physext"`, "null").Replace(gateway(by4, four)))
	b.put(over.Routers()+exit[:36]+"/"+uid(9), leg)
	b.put(over.Routers()+translate.HAKey, "1")
	b.settle()
	doors := b.Routing().Doors
	require.Len(t, doors, 2)
	b.put(over.Routers()+translate.HAKey, "0")
	n := 0
	for _, door := range doors {
		for _, said := range door.Sightings(over, door.MAC, netip.MustParseAddr("203.0.113.101")) {
			said.Host, said.At = "net2", netip.MustParseAddr("192.0.2.2")
			b.put(translate.Networks+said.Name(), said.Value())
			n++
		}
	}
	require.Equal(t, 2, n)
	b.settle()
	is := func(serves bool) {
		t.Helper()
		for name, door := range doors {
			_, here := b.store.Want(gpe.LocalEIDKey(door.Segment, gpe.MACEID(door.MAC)))
			require.Equal(t, serves, here, "%s is here", name)
			_, there := b.store.Want(gpe.RemoteEIDKey(door.Segment, gpe.MACEID(door.MAC)))
			require.Equal(t, !serves, there, "%s is there", name)
		}
	}
	is(false)
	b.put(over.Routers()+translate.HAKey, "1")
	b.settle()
	is(true)
}
