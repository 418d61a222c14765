// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vrrp_test

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Two VPPs on one wire make a virtual router. One is killed, another hands over, and
// hosts that ping the virtual address all the time are without an answer for no
// longer than the protocol says. Nobody is connected to the VPPs when that happens,
// but those who count the masters.
func TestFailover(t *testing.T) {
	for _, on := range []struct {
		name     string
		bvi, six bool
	}{{"sub-interface", false, false}, {"sub-interface, IPv6", false, true}, {"BVI", true, false}, {"BVI, IPv6", true, true}} {
		t.Run(on.name, func(t *testing.T) { failover(t, on.bvi, on.six) })
	}
}

const advert = 500 * time.Millisecond

func failover(t *testing.T, bvi, six bool) {
	w := newLab(t)
	vip, size := "10.88.0.1", 24
	host := func(n int) string { return fmt.Sprintf("10.88.0.%d", n) }
	if six {
		vip, size = "fd00:88::1", 64
		host = func(n int) string { return fmt.Sprintf("fd00:88::%d", n) }
	}
	w.local(t, "compute", "client", host(100), size)

	want := func(n int, priority uint8) []desiredstate.Object {
		own := netip.PrefixFrom(netip.MustParseAddr(host(10+n)), size)
		router := vrrp.Router{
			Interface: "lan", ID: 7, Addresses: addrs(vip), Priority: priority, Interval: advert, Accept: true,
			After: []desiredstate.Key{vppnet.LinkKey("lan"), l3.AddressKey("lan", own)},
		}
		objects := []desiredstate.Object{
			vppnet.HostInterface{Name: "up", Device: "trunk"},
			vppnet.LinkState{Interface: "up", Up: true},
			l3.Address{Interface: "lan", Prefix: own},
			router,
		}
		if !bvi {
			return append(objects, vppnet.SubInterface{Name: "lan", Parent: "up", Outer: 101}, vppnet.LinkState{Interface: "lan", Parent: "up", Up: true})
		}
		return append(objects,
			vppnet.SubInterface{Name: "vlan", Parent: "up", Outer: 101, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}},
			vppnet.LinkState{Interface: "vlan", Parent: "up", Up: true},
			vppnet.Loopback{Name: "lan"}, vppnet.LinkState{Interface: "lan", Up: true},
			vppnet.BridgeDomain{Name: "net", NoLearn: true}, vppnet.BridgePort{Bridge: "net", Interface: "vlan"},
			vppnet.BridgePort{Bridge: "net", Interface: "lan", BVI: true},
		)
	}
	if bvi { // and a host that is on the standby's own bridge domain
		w.local(t, "r2", "guest", host(101), size)
		first := want
		want = func(n int, priority uint8) []desiredstate.Object {
			if n == 1 {
				return first(n, priority)
			}
			return append(first(n, priority), vppnet.HostInterface{Name: "guest", Device: "guest"},
				vppnet.LinkState{Interface: "guest", Up: true}, vppnet.BridgePort{Bridge: "net", Interface: "guest"})
		}
	}
	program := func(r *vpptest.RealVPP, node string, all []desiredstate.Object) {
		c := kindrig.Dial(t, r.Socket(), node) // so that each has MACs of its own
		_, err := desiredstate.New(append(routed(c), vrrp.Routers(c))...).Ensure(t.Context(), all...)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	r1, r2 := vpptest.Real(t, vpptest.InNetNS(string(w.ns["r1"]))), vpptest.Real(t, vpptest.InNetNS(string(w.ns["r2"])))
	program(r1, "r1", want(1, 200))
	program(r2, "r2", want(2, 100))
	program(vpptest.Real(t, vpptest.InNetNS(string(w.ns["compute"]))), "compute", []desiredstate.Object{ // an ordinary bridge domain, which learns
		vppnet.HostInterface{Name: "up", Device: "trunk"},
		vppnet.LinkState{Interface: "up", Up: true},
		vppnet.SubInterface{Name: "vlan", Parent: "up", Outer: 101, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}},
		vppnet.LinkState{Interface: "vlan", Parent: "up", Up: true},
		vppnet.HostInterface{Name: "client", Device: "client"},
		vppnet.LinkState{Interface: "client", Up: true},
		vppnet.BridgeDomain{Name: "net"},
		vppnet.BridgePort{Bridge: "net", Interface: "vlan"},
		vppnet.BridgePort{Bridge: "net", Interface: "client"},
	})
	masters := countMasters(t, r1, r2)
	require.Eventually(t, func() bool { return masters.are(1, 0) }, 10*time.Second, 10*time.Millisecond, "the better one is master")

	hosts := []string{"client"}
	if bvi {
		hosts = append(hosts, "guest")
	}
	down := 3*advert + time.Duration(256-100)*advert/256
	gap := func(what string, most time.Duration, do func()) {
		t.Helper()
		var pings []*pinging
		for _, h := range hosts {
			pings = append(pings, ping(t, w.ns[h], vip))
		}
		for _, p := range pings {
			p.answered(t, 10*time.Second)
		}
		masters.reset()
		do()
		time.Sleep(most + 500*time.Millisecond)
		for i, p := range pings {
			got := p.stop(t)
			t.Logf("%s: %s was without an answer for %v, bound %v; two masters for %v", what, hosts[i], got.Round(time.Millisecond), most, masters.both().Round(time.Millisecond))
			require.Less(t, got, most, "%s, as %s sees it", what, hosts[i])
		}
		require.Less(t, masters.both(), advert, "two masters")
	}
	gap("killed", down+200*time.Millisecond, r1.Kill)
	require.True(t, masters.are(-1, 1), "the standby is master")

	require.NoError(t, r1.Restart())
	gap("preempted", down+200*time.Millisecond, func() {
		program(r1, "r1", want(1, 200))
		masters.again(t, r1, r2)
		require.Eventually(t, func() bool { return masters.are(1, 0) }, 10*time.Second, 10*time.Millisecond, "the better one is master again")
	})
	gap("stopped", advert, func() {
		all := want(1, 200)
		for i, o := range all {
			if r, ok := o.(vrrp.Router); ok {
				r.Stopped = true
				all[i] = r
			}
		}
		program(r1, "r1", all)
	})
	require.True(t, masters.are(0, 1), "the standby is master")
}

// lab is network namespaces for three VPPs, "r1", "r2" and "compute", whose devices
// "trunk" are on one Linux bridge, which carries tagged frames; hosts can be added.
type lab struct{ ns map[string]netrig.NetNS }

func newLab(t *testing.T) *lab {
	t.Helper()
	wire := netrig.New(t, "wire")
	wire.Bridge(t, "bridge0")
	w := &lab{map[string]netrig.NetNS{}}
	for _, r := range []string{"r1", "r2", "compute"} {
		w.ns[r] = netrig.New(t, r)
		wire.Plug(t, "bridge0", "to-"+r, w.ns[r], "trunk")
	}
	return w
}

// local adds a host to a VPP: device there, eth0 for the host.
func (w *lab) local(t *testing.T, router, name, addr string, size int) {
	t.Helper()
	w.ns[name] = netrig.Host(t, name, w.ns[router], name, fmt.Sprintf("%s/%d", addr, size))
}

// pinging asks every 10 ms, and knows when answers came.
type pinging struct {
	end     func()
	done    chan struct{}
	mu      sync.Mutex
	answers []time.Time
}

func ping(t *testing.T, ns netrig.NetNS, addr string) *pinging {
	t.Helper()
	p := &pinging{done: make(chan struct{})}
	cmd := ns.Command(t, "ping", "-n", "-i", "0.01", addr)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	go func() {
		defer close(p.done)
		for s := bufio.NewScanner(out); s.Scan(); {
			if strings.Contains(s.Text(), "bytes from "+addr) {
				p.mu.Lock()
				p.answers = append(p.answers, time.Now())
				p.mu.Unlock()
			}
		}
		_ = cmd.Wait()
	}()
	p.end = func() { _ = cmd.Process.Kill() }
	return p
}

// answered waits for steady answers, and forgets what was before.
func (p *pinging) answered(t *testing.T, patience time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		n := len(p.answers)
		return n > 30 && p.answers[n-1].Sub(p.answers[n-30]) < time.Second
	}, patience, 10*time.Millisecond, "no answers")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = p.answers[len(p.answers)-1:]
}

// stop returns the longest time between two answers, the end being one.
func (p *pinging) stop(t *testing.T) (longest time.Duration) {
	t.Helper()
	p.mu.Lock()
	all := append(p.answers, time.Now())
	p.mu.Unlock()
	p.end()
	<-p.done
	for i := range all[1:] {
		longest = max(longest, all[i+1].Sub(all[i]))
	}
	return longest
}

// mastership looks at two VPPs all the time.
type mastership struct {
	mu     sync.Mutex
	conns  [2]*vppnet.Conn
	now    [2]int // 1: master, 0: not, -1: dead
	since  time.Time
	double time.Duration // the longest time with two
}

func countMasters(t *testing.T, r1, r2 *vpptest.RealVPP) *mastership {
	m := &mastership{}
	m.again(t, r1, r2)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		for ctx.Err() == nil {
			m.look(ctx)
			time.Sleep(5 * time.Millisecond)
		}
	})
	return m
}

// again connects, as is needed after a VPP began anew.
func (m *mastership) again(t *testing.T, all ...*vpptest.RealVPP) {
	var conns [2]*vppnet.Conn
	for i, r := range all {
		conns[i] = kindrig.Dial(t, r.Socket(), "observer")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = conns
}

func (m *mastership) look(ctx context.Context) {
	m.mu.Lock()
	conns := m.conns
	m.mu.Unlock()
	var now [2]int
	for i, c := range conns {
		all, err := vrrp.States(ctx, c)
		if err != nil {
			now[i] = -1
		}
		for _, s := range all {
			if s.New == vrrp.Master {
				now[i] = 1
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
	if now != [2]int{1, 1} {
		m.since = time.Time{}
		return
	}
	if m.since.IsZero() {
		m.since = time.Now()
	}
	m.double = max(m.double, time.Since(m.since))
}

func (m *mastership) are(r1, r2 int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now == [2]int{r1, r2}
}

func (m *mastership) both() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.double
}

func (m *mastership) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.double = 0
}
