// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Packets go where the objects say: through two tables that have the same
// addresses, without meeting; through a gateway of a bridge domain; and along a
// route from table to table. Each host, and VPP, has a network namespace of its own.
func TestPingThroughTables(t *testing.T) {
	needNamespaces(t)
	vpp := newNetNS(t, "vpp")
	hosts := map[string]string{} // namespace by name
	for name, n := range map[string]int{"red1": 1, "red2": 2, "blue1": 1, "blue2": 2} {
		ns := newNetNS(t, name)
		hosts[name] = ns
		linux(t, "link", "add", "to-"+name, "netns", vpp, "type", "veth", "peer", "name", "eth0", "netns", ns)
		linux(t, "-n", vpp, "link", "set", "to-"+name, "up")
		linux(t, "-n", ns, "addr", "add", fmt.Sprintf("10.77.%d.2/24", n), "dev", "eth0")
		linux(t, "-n", ns, "addr", "add", fmt.Sprintf("2001:db8:%d::2/64", n), "dev", "eth0", "nodad")
		linux(t, "-n", ns, "link", "set", "eth0", "up")
		linux(t, "-n", ns, "route", "add", "default", "via", fmt.Sprintf("10.77.%d.1", n))
		linux(t, "-n", ns, "route", "add", "default", "via", fmt.Sprintf("2001:db8:%d::1", n))
	}
	// What is only in one of them, to tell them apart.
	linux(t, "-n", hosts["red1"], "addr", "add", "10.88.0.1/32", "dev", "eth0")
	linux(t, "-n", hosts["blue1"], "addr", "add", "10.88.0.2/32", "dev", "eth0")

	c := dialVPP(t, vpptest.Real(t, vpptest.InNetNS(vpp)).Socket(), "me")
	e := engine(c)
	addresses := func(n int) []netip.Prefix {
		return []netip.Prefix{
			netip.MustParsePrefix(fmt.Sprintf("10.77.%d.1/24", n)), netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::1/64", n)),
		}
	}
	leg := func(name, table string, n int) []desiredstate.Object {
		out := []desiredstate.Object{
			vppnet.HostInterface{Name: name, Device: "to-" + name},
			vppnet.LinkState{Interface: name, Up: true},
			l3.Membership{Interface: name, Table: table},
		}
		for _, p := range addresses(n) {
			out = append(out, l3.Address{Interface: name, Prefix: p, Table: table})
		}
		return out
	}
	only := func(table, prefix, via string) l3.Route {
		return l3.Route{Table: table, Prefix: netip.MustParsePrefix(prefix), Paths: []l3.Path{{Interface: via, NextHop: netip.MustParseAddr("10.77.1.2")}}}
	}
	red := append(leg("red1", "red", 1),
		l3.Table{Name: "red"}, only("red", "10.88.0.1/32", "red1"),
		vppnet.BridgeDomain{Name: "net"},
		vppnet.HostInterface{Name: "red2", Device: "to-red2"}, vppnet.LinkState{Interface: "red2", Up: true},
		vppnet.BridgePort{Bridge: "net", Interface: "red2"},
	)
	red = append(red, l3.Gateway{Name: "gw", Bridge: "net", Table: "red", Addresses: addresses(2)}.Objects()...)
	blue := append(leg("blue1", "blue", 1), l3.Table{Name: "blue"}, only("blue", "10.88.0.2/32", "blue1"))
	blue = append(blue, leg("blue2", "blue", 2)...)

	replies := func(from, to string, want bool) {
		t.Helper()
		got, out := pingFrom(t, hosts[from], to)
		require.Equal(t, want, got, "replies of %s to %s: %s", to, from, out)
	}
	_, err := e.Sync(t.Context(), append(red, blue...)...)
	require.NoError(t, err)
	replies("red2", "10.77.1.2", true) // through the gateway
	replies("red2", "2001:db8:1::2", true)
	replies("blue2", "10.77.1.2", true)
	replies("blue2", "2001:db8:1::2", true)
	replies("red2", "10.88.0.1", true)
	replies("red2", "10.88.0.2", false)
	replies("blue2", "10.88.0.2", true)
	replies("blue2", "10.88.0.1", false)

	// From table to table: the request by one route, the reply by the host's own.
	across := l3.Route{Table: "blue", Prefix: netip.MustParsePrefix("10.88.0.1/32"), Paths: []l3.Path{{Table: "red"}}}
	_, err = e.Ensure(t.Context(), across)
	require.NoError(t, err)
	back := l3.Route{Table: "red", Prefix: netip.MustParsePrefix("10.77.9.0/24"), Paths: []l3.Path{{Table: "blue"}}}
	home := l3.Route{Table: "blue", Prefix: netip.MustParsePrefix("10.77.9.0/24"), Paths: []l3.Path{{Interface: "blue1", NextHop: netip.MustParseAddr("10.77.1.2")}}}
	linux(t, "-n", hosts["blue1"], "addr", "add", "10.77.9.1/32", "dev", "eth0")
	linux(t, "netns", "exec", hosts["blue1"], "sysctl", "-qw", "net.ipv4.conf.all.arp_announce=2") // VPP answers ARP within a subnet
	linux(t, "-n", hosts["blue1"], "route", "add", "10.88.0.1/32", "via", "10.77.1.1", "src", "10.77.9.1")
	replies("blue1", "10.88.0.1", false)
	_, err = e.Ensure(t.Context(), back, home)
	require.NoError(t, err)
	replies("blue1", "10.88.0.1", true)

	// Red goes, blue does not notice.
	_, err = e.Sync(t.Context(), blue...)
	require.NoError(t, err)
	replies("red2", "10.77.1.2", false)
	replies("blue2", "10.77.1.2", true)
	replies("blue2", "2001:db8:1::2", true)

	_, err = engine(c).Sync(t.Context())
	require.NoError(t, err)
	replies("blue2", "10.77.1.2", false)
}

// Hosts do as they are told: one makes itself an address and finds a router by
// advertisements, and reaches by ARP what is not on its link.
func TestHostsAreTold(t *testing.T) {
	needNamespaces(t)
	vpp, near, far := newNetNS(t, "vpp"), newNetNS(t, "near"), newNetNS(t, "far")
	for name, ns := range map[string]string{"near": near, "far": far} {
		linux(t, "link", "add", "to-"+name, "netns", vpp, "type", "veth", "peer", "name", "eth0", "netns", ns)
		linux(t, "-n", vpp, "link", "set", "to-"+name, "up")
	}
	// Near takes far for a neighbour.
	linux(t, "-n", near, "addr", "add", "10.50.0.2/16", "dev", "eth0")
	linux(t, "-n", far, "addr", "add", "10.50.9.2/24", "dev", "eth0")
	linux(t, "-n", far, "addr", "add", "2001:db8:51::2/64", "dev", "eth0", "nodad")
	for _, ns := range []string{near, far} {
		linux(t, "-n", ns, "link", "set", "eth0", "up")
	}
	linux(t, "-n", far, "route", "add", "default", "via", "10.50.9.1")
	linux(t, "-n", far, "route", "add", "default", "via", "2001:db8:51::1")

	c := dialVPP(t, vpptest.Real(t, vpptest.InNetNS(vpp)).Socket(), "me")
	e := engine(c)
	want := []desiredstate.Object{l3.Table{Name: "red"}}
	for _, leg := range []struct{ name, four, six string }{{"near", "10.50.0.1/24", "2001:db8:50::1/64"}, {"far", "10.50.9.1/24", "2001:db8:51::1/64"}} {
		want = append(want,
			vppnet.HostInterface{Name: leg.name, Device: "to-" + leg.name}, vppnet.LinkState{Interface: leg.name, Up: true},
			l3.Membership{Interface: leg.name, Table: "red"},
			l3.Address{Interface: leg.name, Prefix: netip.MustParsePrefix(leg.four), Table: "red"},
			l3.Address{Interface: leg.name, Prefix: netip.MustParsePrefix(leg.six), Table: "red"})
	}
	_, err := e.Sync(t.Context(), want...)
	require.NoError(t, err)
	got, out := pingFrom(t, near, "10.50.0.1")
	require.True(t, got, out)
	got, out = pingFrom(t, near, "10.50.9.2")
	require.False(t, got, out)

	want = append(want,
		l3.ProxyARPRange{Table: "red", Low: addr("10.50.9.0"), High: addr("10.50.9.255")}, l3.ProxyARP{Interface: "near"},
		l3.RouterAdvertisement{
			Interface: "near", Address: netip.MustParsePrefix("2001:db8:50::1/64"), MaxInterval: 4 * time.Second,
			Prefixes: []l3.AdvertisedPrefix{{Prefix: netip.MustParsePrefix("2001:db8:50::/64")}},
		})
	_, err = e.Sync(t.Context(), want...)
	require.NoError(t, err)
	got, out = pingFrom(t, near, "10.50.9.2")
	require.True(t, got, out)
	require.Eventually(t, func() bool {
		out, err := exec.Command("ip", "-n", near, "-6", "addr", "show", "dev", "eth0", "scope", "global", "-tentative").CombinedOutput()
		return err == nil && strings.Contains(string(out), "2001:db8:50:")
	}, 30*time.Second, 200*time.Millisecond)
	got, out = pingFrom(t, near, "2001:db8:51::2")
	require.True(t, got, out)
}

func needNamespaces(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT ROOT: NO NETWORK NAMESPACES, SO NO PING THROUGH A REAL VPP")
	}
	for _, tool := range []string{"ip", "ping"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("NO PING THROUGH A REAL VPP: %v; install iproute2 and iputils-ping", err)
		}
	}
}

// newNetNS makes a network namespace that goes with the test.
func newNetNS(t *testing.T, name string) string {
	t.Helper()
	ns := fmt.Sprintf("vppkit-l3-%d-%s", os.Getpid(), name)
	if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
		_ = exec.Command("ip", "netns", "del", ns).Run() // it may be half made
		t.Skipf("NO NETWORK NAMESPACES, SO NO PING THROUGH A REAL VPP: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
			t.Errorf("ip netns del %s: %v: %s", ns, err, out)
		}
	})
	return ns
}

func linux(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	require.NoError(t, err, "ip %s: %s", strings.Join(args, " "), out)
}

// pingFrom says whether an address answers a network namespace. That ping cannot run
// is no answer. The first packets may be lost while VPP looks for a neighbour.
func pingFrom(t *testing.T, ns, addr string) (bool, string) {
	t.Helper()
	linux(t, "-n", ns, "neigh", "flush", "dev", "eth0")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", "netns", "exec", ns, "ping", "-n", "-c", "5", "-i", "0.3", "-W", "1", addr).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && strings.Contains(string(out), " 0 received") {
		return false, string(out)
	}
	require.NoError(t, err, "%s", out)
	return true, string(out)
}
