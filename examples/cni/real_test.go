// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vpptest"
)

// cli is what VPP's command line says.
func cli(t *testing.T, vpp *vpptest.RealVPP, command string) string {
	t.Helper()
	out, err := vpp.CLI(command)
	require.NoError(t, err)
	return out
}

// programPod programs a container's VPP with what was handed over in a directory.
func programPod(t *testing.T, vpp *vpptest.RealVPP, dir string) {
	t.Helper()
	bin, err := podApp()
	require.NoError(t, err)
	out, err := exec.Command(bin, "-once", "-dir", dir, "-vpp", vpp.Socket()).CombinedOutput()
	require.NoError(t, err, string(out))
}

// Two containers, each with a VPP of its own, reach each other through the host's VPP: by a
// bridge domain, or routed.
func TestPacketsBetweenPods(t *testing.T) {
	for name, change := range map[string][]string{
		"bridge, host is master": nil,
		"bridge, host is slave":  {"host.memif.role", `"slave"`},
		"bridge, a VLAN of it":   {"host.bridge.vlanId", `7`},
		"interface, Ethernet":    {"host.netType", `"interface"`},
		"interface, IP":          {"host.netType", `"interface"`, "host.memif.mode", `"ip"`},
		"IPv6, bridge":           {"ipam.subnet", `"fd00:56::/64"`, "ipam.routes", `[{"dst": "::/0"}]`},
		"IPv6, interface":        {"ipam.subnet", `"fd00:56::/64"`, "ipam.routes", `[{"dst": "::/0"}]`, "host.netType", `"interface"`},
		"both, interface":        append(both, "host.netType", `"interface"`),
		"IPv6, interface, IP":    {"ipam.subnet", `"fd00:56::/64"`, "ipam.routes", `[{"dst": "::/0"}]`, "host.netType", `"interface"`, "host.memif.mode", `"ip"`},
	} {
		t.Run(name, func(t *testing.T) {
			host := vpptest.Real(t)
			r := newRig(t, host.Socket())
			conf := r.conf(change...)
			pods := []*vpptest.RealVPP{vpptest.Real(t), vpptest.Real(t)}
			var addresses []string
			for n, pod := range pods {
				res, err := r.add(conf, id(n), "net0")
				require.NoError(t, err)
				addresses = append(addresses, res.IPs[0].Address.IP.String())
				programPod(t, pod, filepath.Dir(res.Interfaces[0].SocketPath))
			}
			require.Eventually(t, func() bool { // until the wires are up
				return strings.Contains(cli(t, pods[0], "ping "+addresses[1]+" repeat 1"), "1 received")
			}, 20*time.Second, 100*time.Millisecond, "%s", lastly(func() string {
				return cli(t, host, "show interface") + cli(t, host, "show memif") + cli(t, host, "show ip fib "+addresses[0]) +
					cli(t, host, "show ip neighbors") + cli(t, host, "show errors") + cli(t, pods[0], "show ip neighbors") + cli(t, pods[0], "show errors")
			}))
			out := cli(t, pods[0], "ping "+addresses[1]+" repeat 5 interval 0.05")
			require.Contains(t, out, "5 received", out)
			for n := range pods {
				require.NoError(t, r.check(conf, id(n), "net0"))
				require.NoError(t, r.del(conf, id(n), "net0"))
			}
			require.Empty(t, r.files())
			require.NotContains(t, cli(t, host, "show interface"), "memif")
			require.NotContains(t, cli(t, host, "show bridge-domain"), "4 ")
		})
	}
}

// guestsReach has two guests, which are what containers with DPDK's virtio_user are to VPP and to OVS,
// reach each other, the host's end of whose sockets is server or client.
func (r *rig) guestsReach(conf *libcni.NetworkConfigList, mode string) {
	var guests []*netrig.Guest
	var addresses []string
	for n := range 2 {
		res, err := r.add(conf, id(n), "net0")
		require.NoError(r, err)
		ip := res.IPs[0].Address
		mac := fmt.Sprintf("02:00:00:00:00:%02x", n+1)
		guests = append(guests, netrig.Boot(r, fmt.Sprint("pod", n), res.Interfaces[0].SocketPath, mode == netconf.Server, mac, ip.String()))
		addresses = append(addresses, ip.IP.String())
	}
	for _, g := range guests {
		g.WaitConnected(r, 0)
	}
	guests[0].Reaches(r, addresses[1])
	for n := range 2 {
		require.NoError(r, r.check(conf, id(n), "net0"))
		guests[n].Stop()
		require.NoError(r, r.del(conf, id(n), "net0"))
	}
	require.Empty(r, r.files())
}

func TestPacketsOverVhostUser(t *testing.T) {
	for _, mode := range []string{netconf.Server, netconf.Client} {
		vhost := []string{"host.iftype", `"vhostuser"`, "host.vhost.mode", `"` + mode + `"`}
		t.Run("VPP is "+mode, func(t *testing.T) {
			r := newRig(t, vpptest.Real(t).Socket())
			r.guestsReach(r.conf(vhost...), mode)
		})
		t.Run("OVS is "+mode, func(t *testing.T) {
			realOVS(t, func(r *rig, o *ovstest.OVS) { r.guestsReach(r.conf(ovsConf(vhost...)...), mode) })
		})
	}
}

type lastly func() string

func (l lastly) String() string { return l() }
