// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What begins while another router of the external network comes and goes is not disturbed: VPP is told of the
// tables of a router's neighbours, and can forget none of them alone.
func TestANeighbourThatGoesTraffic(t *testing.T) {
	c := newCloud(t, 101, 201, 301, 900)
	a := c.host("a", 101, "192.168.1.11/24", "192.168.1.1")
	c.host("b", 301, "192.168.3.11/24", "192.168.3.1")
	ext := c.host("ext", 900, "203.0.113.1/24", "")
	unadvised(t, ext)
	site, v := c.node("n1", 101, 201, 301, 900)
	k := &keyed{c, map[string]string{}, map[string]*running{"n1": c.rig.agent(site, v.Socket())}}
	k.put(legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	k.put(exitKey(1), exit(1, 900, "203.0.113.101/24", "203.0.113.1"))
	k.put(legKey(2, 201), leg(2, 201, "192.168.2.1/24"))
	k.put(exitKey(2), exit(2, 900, "203.0.113.102/24", "203.0.113.1"))
	k.put(legKey(3, 301), leg(3, 301, "192.168.3.1/24"))
	k.put(exitKey(3), exit(3, 900, "203.0.113.103/24", "203.0.113.1"))
	k.put(floatKey(3), float(900, 301, "203.0.113.153", "192.168.3.11"))
	k.settled()
	said, _ := c.said("n1", "errors/")
	require.Empty(t, said)
	require.Equal(t, "ext 203.0.113.101", c.asks(a, "203.0.113.1"))
	require.Equal(t, "b 203.0.113.101", c.asks(a, "203.0.113.153"))

	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 10 {
			k.put(exitKey(2), "")
			k.settled()
			k.put(exitKey(2), exit(2, 900, "203.0.113.102/24", "203.0.113.1"))
			k.settled()
		}
	}()
	begun, worst := 0, time.Duration(0)
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		for _, to := range []string{"203.0.113.1", "203.0.113.153"} {
			f, since := c.flow(a, to), time.Now()
			require.NotEmpty(t, f.says(), to)
			_ = f.conn.Close()
			begun, worst = begun+1, max(worst, time.Since(since))
			require.Equal(t, 1, f.said, "%s: a packet was lost, flow %d", to, begun)
		}
	}
	t.Logf("%d flows began, the slowest took %v", begun, worst)
}
