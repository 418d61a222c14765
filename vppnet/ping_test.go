// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Packets go where the objects say: through a bridge domain while both its ports
// are there, and nowhere when one is not. VPP has a network namespace of its own,
// and so has each of the two hosts; nothing reaches any other.
func TestPingAcrossBridgeDomain(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT ROOT: NO NETWORK NAMESPACES, SO NO PING THROUGH A REAL VPP")
	}
	for _, tool := range []string{"ip", "ping"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("NO PING THROUGH A REAL VPP: %v; install iproute2 and iputils-ping", err)
		}
	}
	mid, a, b := newNetNS(t, "vpp"), newNetNS(t, "a"), newNetNS(t, "b")
	for _, h := range []struct{ ns, device, addr string }{{a, "to-a", "10.77.0.1/24"}, {b, "to-b", "10.77.0.2/24"}} {
		ip(t, "link", "add", h.device, "netns", mid, "type", "veth", "peer", "name", "eth0", "netns", h.ns)
		ip(t, "-n", mid, "link", "set", h.device, "up")
		ip(t, "-n", h.ns, "addr", "add", h.addr, "dev", "eth0")
		ip(t, "-n", h.ns, "link", "set", "eth0", "up")
	}
	c := dialVPP(t, vpptest.Real(t, vpptest.InNetNS(mid)).Socket())
	e := layer2(c)

	port := vppnet.BridgePort{Bridge: "net", Interface: "b"}
	want := []desiredstate.Object{
		vppnet.BridgeDomain{Name: "net"},
		vppnet.HostInterface{Name: "a", Device: "to-a"},
		vppnet.HostInterface{Name: "b", Device: "to-b"},
		vppnet.LinkState{Interface: "a", Up: true},
		vppnet.LinkState{Interface: "b", Up: true},
		vppnet.BridgePort{Bridge: "net", Interface: "a"},
		port,
	}
	replies := func(from, to string, want bool) {
		t.Helper()
		got, out := pingFrom(t, from, to)
		require.Equal(t, want, got, "replies of %s: %s", to, out)
	}

	replies(a, "10.77.0.2", false)
	_, err := e.Ensure(t.Context(), want...)
	require.NoError(t, err)
	replies(a, "10.77.0.2", true)
	replies(b, "10.77.0.1", true)

	_, err = e.Remove(t.Context(), port.Key())
	require.NoError(t, err)
	replies(a, "10.77.0.2", false)

	_, err = e.Ensure(t.Context(), port)
	require.NoError(t, err)
	replies(a, "10.77.0.2", true)

	converge(t, c, want...)
	converge(t, c)
	replies(a, "10.77.0.2", false)
}

// newNetNS makes a network namespace that goes with the test.
func newNetNS(t *testing.T, name string) string {
	t.Helper()
	ns := fmt.Sprintf("vppkit-ping-%d-%s", os.Getpid(), name)
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

func ip(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	require.NoError(t, err, "ip %s: %s", strings.Join(args, " "), out)
}

// pingFrom says whether an address answers a network namespace. That ping cannot run
// is no answer. Linux looks for the address anew: packets sent while an earlier
// vain search goes on would be lost with it.
func pingFrom(t *testing.T, ns, addr string) (bool, string) {
	t.Helper()
	ip(t, "-n", ns, "neigh", "flush", "dev", "eth0")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", "netns", "exec", ns, "ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", addr).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && strings.Contains(string(out), " 0 received") {
		return false, string(out)
	}
	require.NoError(t, err, "%s", out)
	return true, string(out)
}
