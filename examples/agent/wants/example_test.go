// SPDX-License-Identifier: Apache-2.0

package wants_test

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
)

// A key comes, another is junk; then the first one goes.
func Example() {
	site := translate.Site{Host: "h1", Physnets: map[string]string{"physnet1": "GigabitEthernet0/8/0"}, Dir: "/run/vms"}
	store := desiredstate.NewStore()
	box := wants.New(site, store, slog.New(slog.DiscardHandler))
	show := func() {
		var keys []string
		for key := range store.Statuses() {
			if _, wanted := store.Want(key); wanted {
				keys = append(keys, key.String())
			}
		}
		slices.Sort(keys)
		fmt.Println(len(keys), "objects are wanted, the first is", keys[0])
	}
	box.Settled(true) // nothing but the host's own
	show()

	port := site.Ports() + "00000000-0000-4000-8000-000000000001"
	box.Put(port, []byte(`{"mac_address":"fa:16:3e:00:00:01","mtu":1500,"physnet":"physnet1","network_type":"vlan",`+
		`"segmentation_id":100,"network_id":"n","binding_type":"vhostuser","allowed_address_pairs":[],"port_security_enabled":false,"fixed_ips":[]}`), true)
	box.Put(site.Ports()+"junk", []byte("{"), true)
	box.Settled(false)
	show()
	_, _, wrong := box.Look("junk")
	fmt.Println("junk:", wrong)

	box.Put(port, nil, false)
	box.Settled(false)
	show()
	// Output:
	// 1 objects are wanted, the first is link/vpp:GigabitEthernet0/8/0
	// 8 objects are wanted, the first is bridge-domain/physnet1.vlan.100
	// junk: the key's name is not a UUID
	// 1 objects are wanted, the first is link/vpp:GigabitEthernet0/8/0
}
