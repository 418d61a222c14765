// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/netrig"
)

// What passes a VM's port is shown, or written to a file, and nothing is left of it in VPP, though
// the agent is killed.
func TestSnoopTraffic(t *testing.T) {
	c := &classic{ethernet: netrig.New(t, "ethernet")}
	c.ethernet.Bridge(t, "brphys")
	c.rig = newRig(t)
	ns := netrig.New(t, "h1")
	c.ethernet.Plug(t, "brphys", "to-h1", ns, "up-h1")
	h1 := c.node("h1", ns)
	socket := filepath.Join(shortDir(t), "page.sock")
	args := []string{
		"run", "--etcd", c.url, "--vpp", h1.vpp.Socket(), "--host", "h1", "--no-routers",
		"--physnet", "physnet1=" + h1.site.Physnets["physnet1"], "--vhost-user-dir", h1.site.Dir, "--socket", socket,
	}
	h1.site.NoRouters = true
	kill := c.process(args...)
	c.permit(1, 6) // TCP only
	a, b, closed := c.boot(h1, 101, "10.0.1.1/24"), c.boot(h1, 101, "10.0.1.2/24"), c.boot(h1, 101, "10.0.1.3/24", gid(1))
	c.bound("h1", a.port, b.port, closed.port)
	a.Reaches(t, "10.0.1.2")
	stop := a.Pings(t, "10.0.1.2")
	defer stop()

	const asks, answers = "10.0.1.1 > 10.0.1.2 ICMP EchoRequest", "10.0.1.2 > 10.0.1.1 ICMP EchoReply"
	status, out, errs := snooped(t, socket, b.port[:8], "--packets", "20")
	require.Zero(t, status, errs)
	require.Equal(t, 20, strings.Count(out, "\n"), out)
	require.Contains(t, out, asks)
	require.Contains(t, out, answers)
	require.Contains(t, out, a.mac.String()+" > "+b.mac.String())
	status, out, errs = snooped(t, socket, a.port, "--packets", "10", "--only", "from")
	require.Zero(t, status, errs)
	require.Contains(t, out, asks)
	require.NotContains(t, out, answers)
	status, out, errs = snooped(t, socket, a.port, "--packets", "10", "--only", "to")
	require.Zero(t, status, errs)
	require.Contains(t, out, answers)
	require.NotContains(t, out, asks)

	// Frames that are longer than a buffer are whole, and files can be read.
	for _, name := range []string{"all.pcap", "all.pcapng"} {
		big := a.Command(t, "ping", "-s", "6000", "-c", "100", "-i", "0.05", "10.0.1.2")
		require.NoError(t, big.Start())
		file := filepath.Join(t.TempDir(), name)
		status, out, errs = snooped(t, socket, b.port, "--packets", "100", "--time", "3s", "-w", file)
		require.Zero(t, status, errs)
		require.Empty(t, out)
		_ = big.Process.Kill()
		_ = big.Wait()
		from, err := os.Open(file)
		require.NoError(t, err)
		var packets gopacket.PacketDataSource
		if strings.HasSuffix(name, "ng") {
			packets, err = pcapgo.NewNgReader(from, pcapgo.DefaultNgReaderOptions)
		} else {
			packets, err = pcapgo.NewReader(from)
		}
		require.NoError(t, err)
		n, last := 0, time.Time{}
		for {
			frame, info, err := packets.ReadPacketData()
			if err != nil {
				break
			}
			n++
			require.Nil(t, gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default).ErrorLayer())
			require.False(t, info.Timestamp.Before(last))
			last = info.Timestamp
		}
		require.Positive(t, n)
		require.WithinDuration(t, time.Now(), last, 10*time.Second)
		require.NoError(t, from.Close())
	}

	// What filters drop can be seen before them, not behind.
	denied := closed.Command(t, "ping", "-c", "100", "-i", "0.05", "10.0.1.1")
	require.NoError(t, denied.Start())
	status, out, errs = snooped(t, socket, closed.port, "--packets", "100", "--time", "2s")
	require.Zero(t, status, errs)
	require.Contains(t, out, "10.0.1.3 > 10.0.1.1 ICMP EchoRequest")
	require.NotContains(t, out, "10.0.1.1 > 10.0.1.3")
	_ = denied.Process.Kill()
	_ = denied.Wait()
	require.Empty(t, c.ofSnoops(h1.site, h1.vpp.Socket()))

	// The port goes; and the agent is killed.
	go func() { time.Sleep(time.Second); c.unplug("h1", closed.port) }()
	began := time.Now()
	status, _, errs = snooped(t, socket, closed.port, "--time", "1m")
	require.Equal(t, exitFailed, status)
	require.Contains(t, errs, "ended before its time: the port is not as it was")
	require.Less(t, time.Since(began), 20*time.Second)
	done := make(chan int)
	go func() {
		status, _, _ := snooped(t, socket, b.port, "--time", "1m", "--packets", "10000")
		done <- status
	}()
	require.Eventually(t, func() bool { return len(c.ofSnoops(h1.site, h1.vpp.Socket())) == 6 }, longest, tick)
	kill()
	require.Equal(t, exitFailed, <-done)
	require.Len(t, c.ofSnoops(h1.site, h1.vpp.Socket()), 6)
	c.process(args...)
	require.Eventually(t, func() bool { return len(c.ofSnoops(h1.site, h1.vpp.Socket())) == 0 }, longest, tick)
	require.Eventually(t, func() bool { status, _, _ := snooped(t, socket, b.port, "--packets", "1"); return status == 0 }, longest, tick)
	entries, err := os.ReadDir(h1.site.Dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.NotContains(t, e.Name(), "snoop")
	}
	a.Reaches(t, "10.0.1.2")
}
