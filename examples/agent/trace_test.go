// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/netrig"
)

// What a VM sends is traced to where it leaves, or is dropped, and why.
func TestTrace(t *testing.T) {
	c := &classic{ethernet: netrig.New(t, "ethernet")}
	c.ethernet.Bridge(t, "brphys")
	c.rig = newRig(t)
	ns := netrig.New(t, "h1")
	c.ethernet.Plug(t, "brphys", "to-h1", ns, "up-h1")
	h1 := c.node("h1", ns)
	h1.agent = c.rig.agent(h1.site, h1.vpp.Socket())
	c.permit(1, 6) // TCP only
	open, closed := c.boot(h1, 101, "10.0.1.1/24"), c.boot(h1, 101, "10.0.1.2/24", gid(1))
	c.bound("h1", open.port, closed.port)
	traced := func(port string, more ...string) (int, string, string) {
		var out, errs bytes.Buffer
		status := command(t.Context(), append([]string{"trace", port, "--vpp", h1.vpp.Socket()}, more...), &out, &errs)
		return status, out.String(), errs.String()
	}
	ping := open.Command(t, "ping", "-i", "0.2", "-c", "150", "10.0.1.2")
	require.NoError(t, ping.Start())
	require.Eventually(t, func() bool {
		status, out, errs := traced(open.port, "--time", "1s", "--packets", "100")
		require.Zero(t, status, errs)
		return bytes.Contains([]byte(out), []byte("dropped by acl-plugin-out-ip4-l2: ACL deny packets"))
	}, longest, tick)
	_ = ping.Process.Kill()
	_ = ping.Wait()
	other := c.boot(h1, 101, "10.0.1.3/24")
	other.Reaches(t, "10.0.1.1")
	stop := open.Pings(t, "10.0.1.3")
	status, out, errs := traced(open.port[:8], "--time", "2s", "--packets", "3")
	stop()
	require.Zero(t, status, errs)
	require.Contains(t, out, "went out by VirtualEthernet")
	require.Contains(t, out, "packets came in by port-"+open.port)

	status, _, errs = traced("nothing")
	require.Equal(t, 1, status)
	require.Contains(t, errs, "VPP has no port nothing")
	status, _, errs = traced("000")
	require.Equal(t, 1, status)
	require.Contains(t, errs, "is how several ports begin")
	status, _, errs = traced("--time")
	require.Equal(t, 2, status)
	require.NotEmpty(t, errs)
}
