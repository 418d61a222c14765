// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func TestLawsOfTAPs(t *testing.T) {
	lawsWith(t, vppnet.TAPs, nil, rapid.Custom(func(t *rapid.T) vppnet.TAP {
		x := vppnet.TAP{
			Name: pick(t, "name", "a", "b"), ID: pick[uint32](t, "ID", 0, 7, 8192), Tun: pick(t, "TUN", false, true),
			Persist: pick(t, "persist", false, true), GSO: pick(t, "GSO", false, true),
			RxQueues: pick[uint16](t, "queues", 0, 2), TxQueues: pick[uint16](t, "queues", 0, 4), RxRing: pick[uint16](t, "ring", 0, 256, 1<<15),
			Host: vppnet.TAPHost{
				Device: pick(t, "device", "", "tapa", "tapb"), Namespace: pick(t, "namespace", "", "blue"), MTU: pick[uint32](t, "MTU", 0, 1500),
				IPv4: pick(t, "IPv4", netip.Prefix{}, netip.MustParsePrefix("192.0.2.1/24")), IPv6: pick(t, "IPv6", netip.Prefix{}, netip.MustParsePrefix("2001:db8::1/64")),
				Gateway4: pick(t, "gateway", netip.Addr{}, netip.MustParseAddr("192.0.2.254")), Gateway6: pick(t, "gateway", netip.Addr{}, netip.MustParseAddr("2001:db8::fe")),
			},
		}
		x.ChecksumOffload = !x.GSO && pick(t, "checksum", false, true)
		x.Attach = x.Host.Device != "" && pick(t, "attach", false, true)
		if !x.Tun {
			x.MAC, x.Host.MAC = pick(t, "MAC", vppnet.MAC{}, mac(1), mac(2)), pick(t, "host MAC", vppnet.MAC{}, mac(3))
			x.Host.Bridge = pick(t, "bridge", "", "br0")
		}
		return x
	}), lawsOptions{unreal: "TAPS NEED /dev/vhost-net: their laws are run in memory only"})
}

// Where Linux has no vhost-net, it is said what to do, and nothing is left.
func TestTAPWithoutVhostNet(t *testing.T) {
	test := func(t *testing.T, socket string) {
		o := somebody(t, socket)
		before := o.list()
		_, err := vppnet.TAPs(dialVPP(t, socket)).Ensure(t.Context(), vppnet.TAP{Name: "a", Host: vppnet.TAPHost{MTU: 1500}})
		require.ErrorIs(t, err, api.SYSCALL_ERROR_1)
		require.ErrorContains(t, err, "no /dev/vhost-net")
		require.Equal(t, before, o.list())
	}
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t, vpptest.WithoutVhostNet()).Socket()) })
	t.Run("real", func(t *testing.T) {
		if _, err := os.Stat("/dev/vhost-net"); err == nil {
			t.Skip("/dev/vhost-net IS HERE")
		}
		test(t, vpptest.Real(t).Socket())
	})
}

func TestValidateTAP(t *testing.T) {
	good := vppnet.TAP{Name: "a", ID: 8192, MAC: mac(1), RxRing: 1 << 15, Host: vppnet.TAPHost{Device: "tap0", Namespace: "/run/netns/blue", MTU: 68, Bridge: "br0"}}
	require.NoError(t, good.Validate())
	for _, tc := range []struct {
		err   string
		spoil func(*vppnet.TAP)
	}{
		{"name is empty", func(t *vppnet.TAP) { t.Name = "" }},
		{"fit VPP's tag", func(t *vppnet.TAP) {
			t.Name, t.Host.Gateway6 = strings.Repeat("n", 60), netip.MustParseAddr("2001:db8::1")
		}},
		{"ID 8193", func(t *vppnet.TAP) { t.ID = 8193 }},
		{"ring of 100", func(t *vppnet.TAP) { t.TxRing = 100 }},
		{"a TUN has no MACs", func(t *vppnet.TAP) { t.Tun = true }},
		{"needs its name", func(t *vppnet.TAP) { t.Attach, t.Host.Device = true, "" }},
		{"only one of them", func(t *vppnet.TAP) { t.GSO, t.ChecksumOffload = true, true }},
		{"want 1 to 15", func(t *vppnet.TAP) { t.Host.Device = "0123456789abcdef" }},
		{"want 1 to 15", func(t *vppnet.TAP) { t.Host.Device = "tap%d" }},
		{"want 1 to 15", func(t *vppnet.TAP) { t.Host.Bridge = "a/b" }},
		{"namespace", func(t *vppnet.TAP) { t.Host.Namespace = "a b" }},
		{"MTU 67", func(t *vppnet.TAP) { t.Host.MTU = 67 }},
		{"IPv4 address", func(t *vppnet.TAP) { t.Host.IPv4 = netip.MustParsePrefix("2001:db8::1/64") }},
		{"IPv6 address", func(t *vppnet.TAP) { t.Host.IPv6 = netip.MustParsePrefix("2001:db8::1/0") }},
		{"IPv4 gateway", func(t *vppnet.TAP) { t.Host.Gateway4 = netip.MustParseAddr("::1") }},
		{"IPv6 gateway", func(t *vppnet.TAP) { t.Host.Gateway6 = netip.MustParseAddr("fe80::1%eth0") }},
		{"multicast", func(t *vppnet.TAP) { t.Host.MAC = vppnet.MAC{1} }},
	} {
		bad := good
		tc.spoil(&bad)
		require.ErrorContains(t, bad.Validate(), tc.err)
	}
}
