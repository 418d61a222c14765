// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// witness is a host that has somebody in a network, and nothing to do with whom it hears of.
func (r *rig) witness(vni int) *running {
	a := r.agent(r.overlaid("h9", 9), memory(r.T).Socket())
	r.put("h9", uuid(99), inVNI(vni, "fa:16:3e:00:00:99", "10.0.0.99"))
	r.bound("h9", uuid(99))
	return a
}

// reaches waits until a host reaches a MAC behind the host with this address; "": behind none.
func (r *rig) reaches(a *running, vni uint32, mac vppnet.MAC, at string) {
	r.Helper()
	require.Eventually(r, func() bool {
		o, _ := a.store.Want(gpe.RemoteEIDKey(vni, gpe.MACEID(mac)))
		there, _ := o.(gpe.RemoteEID)
		return at == "" && o == nil || len(there.Locators) == 1 && there.Locators[0].Address.String() == at
	}, longest, tick, "%s is to be behind %q", mac, at)
}

// Until the switch of a live migration a VM runs where it was, and others reach it there: the host to which it goes has the port, and
// says nothing of it, or of its subports.
func TestWhereAVMGoesSaysNothingUntilItRuns(t *testing.T) {
	r := newRig(t)
	mac := vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0, 1}
	value := inVNI(10, mac.String(), "10.0.0.1")
	trunk := strings.NewReplacer("PORT", uuid(7)).Replace(`{"sub_ports":[{"port_id":"PORT","segmentation_id":7,"segmentation_type":"vlan",` +
		`"mac_address":"fa:16:3e:00:00:07","uplink_seg_type":"gpe","uplink_seg_id":11,"physnet":null,"port_security_enabled":false,` +
		`"security_groups":[],"allowed_address_pairs":[],"fixed_ips":[{"subnet_id":"s","ip_address":"10.0.1.1"}]}]}`)
	sites, vpps, agents := map[string]translate.Site{}, map[string]*vpptest.VPP{}, map[string]*running{}
	for n, host := range []string{"h1", "h2"} {
		sites[host], vpps[host] = r.overlaid(host, n+1), memory(t)
		agents[host] = r.agent(sites[host], vpps[host].Socket())
	}
	witness := r.witness(10)
	here := func(host string) {
		t.Helper()
		r.put(host, uuid(1), value)
		r.set(sites[host].Trunks()+uuid(1), trunk)
		r.bound(host, uuid(1))
		require.Eventually(t, func() bool {
			got, _ := agents[host].store.Status(vppnet.LinkKey("subport-" + uuid(7)))
			return got.State == desiredstate.Applied
		}, longest, tick)
	}
	gone := func(host string) {
		t.Helper()
		r.set(sites[host].Trunks()+uuid(1), "")
		r.unplug(host, uuid(1))
		r.bound(host)
	}
	says := func(want ...string) {
		t.Helper()
		require.Eventually(t, func() bool {
			said, n := r.networks(), 0
			for name := range said {
				if !strings.Contains(name, "/h9/") {
					n++
				}
			}
			for _, host := range want {
				if said["10/"+host+"/10.0.0.1"] == "" || said["11/"+host+"/10.0.1.1"] == "" {
					return false
				}
			}
			return n == 2*len(want)
		}, longest, tick, "%v", want)
	}
	still := func(want ...string) {
		t.Helper()
		time.Sleep(300 * time.Millisecond)
		says(want...)
	}

	here("h1") // its VM is not there yet, and nobody else's either
	says("h1")
	r.reaches(witness, 10, mac, "192.0.2.1")
	vpps["h1"].LinkUp("VirtualEthernet0/0/0", true)

	here("h2")
	still("h1")
	r.reaches(witness, 10, mac, "192.0.2.1")
	gone("h2") // the migration fails
	still("h1")

	here("h2")
	for host, a := range agents {
		a.stop()
		agents[host] = r.agent(sites[host], vpps[host].Socket())
		r.bound(host, uuid(1))
		require.Eventually(t, agents[host].announcer.settled.Load, longest, tick)
	}
	still("h1")
	r.reaches(witness, 10, mac, "192.0.2.1")

	vpps["h2"].LinkUp("VirtualEthernet0/0/0", true)
	says("h1", "h2")
	r.reaches(witness, 10, mac, "192.0.2.2")
	vpps["h1"].LinkUp("VirtualEthernet0/0/0", false)
	still("h1", "h2")
	gone("h1")
	says("h2")
	vpps["h2"].LinkUp("VirtualEthernet0/0/0", false) // to start anew is no move
	still("h2")

	// One that is shut off is where its port is once that is at one host only.
	here("h1")
	still("h2")
	gone("h2")
	says("h1")
	r.reaches(witness, 10, mac, "192.0.2.1")
}

// Where a VM is had again, or a router served, after another host that had it died, others hear so: what that one said is newer than
// what still stands there. Of whom nobody else says anything, nothing is written again.
func TestWhoHasSomebodyAgainIsBelieved(t *testing.T) {
	for _, away := range []string{"the agent", "etcd", "VPP"} {
		t.Run(away, func(t *testing.T) {
			r, v := newRig(t), memory(t)
			site := r.overlaid("h1", 1)
			site.HA = true
			wire := etcdtest.NewWire(t, r.url)
			behind := rigOn(t, wire.URL())
			a := behind.agent(site, v.Socket())
			witness := r.witness(5001)
			port, door := vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0, 1}, vppnet.MAC{0xfa, 0x16, 0x3e, 1, 0, 1}
			r.put("h1", uuid(1), inVNI(5001, port.String(), "10.3.0.11"))
			r.put("h1", uuid(2), inVNI(5001, "fa:16:3e:00:00:02", "10.3.0.12"))
			r.routing("h1", router+"/"+uuid(3), fmt.Sprintf(`{"port_id":%q,"loopback_mac":%q,"gateway_ip":"10.3.0.1","subnet_id":"s",`+
				`"network_id":"n","fixed_ips":[{"subnet_id":"s","ip_address":"10.3.0.1"}],"is_ipv6":false,"prefixlen":24,"mtu":1470,`+
				`"segmentation_id":5001,"net_type":"gpe","physnet":"physnet1","vrf_id":1}`, uuid(3), door))
			r.routing("h1", "ha", "1")
			r.bound("h1", uuid(1), uuid(2))
			v.LinkUp("VirtualEthernet0/0/0", true)
			v.LinkUp("VirtualEthernet0/0/1", true)
			r.reaches(witness, 5001, port, "192.0.2.1")
			r.reaches(witness, 5001, door, "192.0.2.1")

			switch away {
			case "the agent":
				a.stop()
			case "etcd":
				wire.Blackhole(true, true)
			case "VPP":
				v.Kill()
				r.bound("h1")
			}
			r.set(translate.Networks+"5001/h2/10.3.0.11", `{"mac":"`+port.String()+`","host":"192.0.2.2"}`)
			r.set(translate.Networks+"5001/h2/10.3.0.1", `{"mac":"`+door.String()+`","host":"192.0.2.2"}`)
			r.reaches(witness, 5001, port, "192.0.2.2")
			r.reaches(witness, 5001, door, "192.0.2.2")
			since := r.revision()
			switch away {
			case "the agent":
				behind.agent(site, v.Socket())
			case "etcd":
				wire.Mend()
			case "VPP":
				require.NoError(t, v.Restart())
				r.bound("h1", uuid(1), uuid(2))
				v.LinkUp("VirtualEthernet0/0/0", true)
				v.LinkUp("VirtualEthernet0/0/1", true)
			}
			r.reaches(witness, 5001, port, "192.0.2.1")
			r.reaches(witness, 5001, door, "192.0.2.1")
			time.Sleep(300 * time.Millisecond)
			got, err := r.client.Get(t.Context(), translate.Networks, clientv3.WithPrefix(), clientv3.WithMinModRev(since+1))
			require.NoError(t, err)
			require.Len(t, got.Kvs, 2, "what another host says too, and once")
			for _, kv := range got.Kvs {
				require.Equal(t, int64(2), kv.Version, string(kv.Key))
			}
		})
	}
}
