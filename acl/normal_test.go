// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// drawHole draws of a small world, so that holes often overlap, contain each other or
// lie side by side.
func drawHole(t *rapid.T) hole {
	r := Rule{Action: PermitReflect, Family: rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(t, "family")}
	icmp, addr := ICMP, netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(t, "host")})
	if r.Family == IPv6 {
		icmp, addr = ICMPv6, netip.AddrFrom16([16]byte{0x20, 1, 7: rapid.Byte().Draw(t, "net"), 8: rapid.Byte().Draw(t, "host")})
	}
	if rapid.IntRange(0, 3).Draw(t, "reflects") == 0 {
		r.Action = Permit
	}
	if bits := rapid.SampledFrom([]int{0, 8, 24, 25, 26, 27, 28, 29, 30, 31, 32, 63, 64, 65, 66, 128}).Draw(t, "bits"); bits <= addr.BitLen() {
		r.Src, _ = addr.Prefix(bits)
	}
	between := func(most uint16) Range {
		first := rapid.Uint16Range(most-5, most).Draw(t, "first")
		return Between(first, rapid.Uint16Range(first, most).Draw(t, "last"))
	}
	switch r.Protocol = rapid.SampledFrom([]Protocol{0, TCP, TCP, TCP, UDP, icmp, icmp, 132}).Draw(t, "protocol"); r.Protocol {
	case TCP, UDP:
		r.DstPorts = between(rapid.SampledFrom([]uint16{8, maxPort}).Draw(t, "about"))
	case icmp:
		r.ICMPTypes, r.ICMPCodes = between(rapid.SampledFrom([]uint16{8, maxICMP}).Draw(t, "about")), between(5)
	}
	return holeOf(r)
}

// What is quick says what is plain.
func TestUniteIsReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{3, 12, 100}).Draw(t, "most")
		holes := rapid.SliceOfN(rapid.Custom(drawHole), 0, n).Draw(t, "holes")
		var plain, got []refHole
		for _, h := range holes {
			plain = append(plain, h.reference())
		}
		want := refUnite(plain)
		for _, h := range unite(slices.Clone(holes)) {
			got = append(got, h.reference())
		}
		require.Equal(t, want, got)
	})
}

func TestBlockIsPrefix(t *testing.T) {
	draw := func(t *rapid.T) (hole, netip.Prefix) { h := drawHole(t); return h, h.reference().remote }
	rapid.Check(t, func(t *rapid.T) {
		a, p := draw(t)
		b, q := draw(t)
		require.Equal(t, a.remote, blockOf(p))
		if a.family == b.family {
			require.Equal(t, comparePrefixes(p, q), a.remote.compare(b.remote))
			require.Equal(t, contains(p, q), a.remote.contains(b.remote))
		}
	})
}

// shapes are groups of n rules that once cost much, or could.
var shapes = []struct {
	name string
	rule func(n, i int) GroupRule
}{
	{"prefixes of one port", func(_, i int) GroupRule {
		return GroupRule{Protocol: TCP, Ports: Only(80), Remote: host4(2 * i)}
	}},
	{"ports of one prefix", func(_, i int) GroupRule {
		return GroupRule{Family: IPv4, Protocol: Protocol(6 + 11*(i&1)), Ports: Only(uint16(i))}
	}},
	{"overlapping ports of one prefix", func(n, i int) GroupRule {
		return GroupRule{Family: IPv4, Protocol: TCP, Ports: Between(uint16(i*(maxPort/2)/n), uint16(i*(maxPort/2)/n+maxPort/2))}
	}},
	{"nested prefixes", func(_, i int) GroupRule {
		return GroupRule{Protocol: TCP, Ports: Only(uint16(i)), Remote: netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1}), 128-i%112)}
	}},
	{"ports in nested prefixes", func(_, i int) GroupRule {
		a := host4(i / 25).Addr()
		return GroupRule{Protocol: TCP, Ports: Only(uint16(3 * i)), Remote: netip.PrefixFrom(a, 8+i%25)}
	}},
	{"all different", func(_, i int) GroupRule {
		return GroupRule{Protocol: TCP, Ports: Between(uint16(i), uint16(i+i%7)), Remote: host4(2 * i)}
	}},
	{"all of one", func(_, i int) GroupRule {
		return GroupRule{Protocol: TCP, Remote: host4(i)}
	}},
	{"types and codes", func(_, i int) GroupRule {
		if i < 100 {
			return GroupRule{Family: IPv4, Protocol: ICMP, ICMPCodes: Only(uint16(i))}
		}
		return GroupRule{Family: IPv4, Protocol: ICMP, ICMPTypes: Only(uint16(i % 256)), ICMPCodes: Only(uint16(i / 256))}
	}},
}

func host4(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

func shaped(rule func(n, i int) GroupRule, n int) SecurityGroup {
	g := SecurityGroup{Name: "g", Ingress: make([]GroupRule, n)}
	for i := range n {
		g.Ingress[i*7919%n] = rule(n, i) // 7919 is prime: in no order
	}
	return g
}

// BenchmarkRules says what a rule costs, by how many there are. More than MaxRules of
// them are refused, but only after they were united.
func BenchmarkRules(b *testing.B) {
	for _, s := range shapes {
		for _, n := range []int{1000, 35000} {
			b.Run(fmt.Sprintf("%s/%d", s.name, n), func(b *testing.B) {
				g := shaped(s.rule, n)
				for b.Loop() {
					_, _, _ = g.Sets(nil)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/rule")
			})
		}
	}
}

// Ten times the rules take about ten times the processor, whatever they are about. The
// best of several runs is what other work on the machine disturbs least.
func TestCostIsLinear(t *testing.T) {
	runtime.LockOSThread() // whose time is measured
	defer runtime.UnlockOSThread()
	best := func(n int, of func(n int) func()) time.Duration {
		f, least := of(n), time.Hour
		for range 5 {
			runtime.GC()
			begin := processor(t)
			f()
			least = min(least, processor(t)-begin)
		}
		return least
	}
	check := func(name string, n int, of func(n int) func()) {
		t.Helper()
		few, many := best(n, of), best(10*n, of)
		t.Logf("%s: %s for %d, %s for %d", name, few, n, many, 10*n)
		require.Less(t, many, 40*few, "%s: %s for %d, %s for %d", name, few, n, many, 10*n)
	}
	for _, s := range shapes {
		check(s.name, 2000, func(n int) func() {
			g := shaped(s.rule, n)
			return func() { _, _, _ = g.Sets(nil) }
		})
	}
	check("members", 3000, func(n int) func() {
		g := SecurityGroup{Name: "g", Ingress: []GroupRule{{Family: IPv4, RemoteGroup: "r"}}}
		m := Members{}
		for i := range n {
			m["r"] = append(m["r"], host4(2*(i*7919%n)).Addr())
		}
		return func() { _, _, _ = g.Sets(m) }
	})
	check("a set", 400, func(n int) func() {
		to, _, err := shaped(shapes[0].rule, n).Sets(nil)
		require.NoError(t, err)
		return func() { _ = to.Validate(); _ = to.same(to) }
	})
	check("sources", MaxMACIPRules/10, func(n int) func() {
		set := MACIPSet{Name: "s"}
		for i := range n {
			set.Rules = append(set.Rules, MACIPRule{Action: Action(i & 1), MAC: [6]byte{2, 4: byte(i >> 8), 5: byte(i)}, Src: host4(i)})
		}
		return func() { require.NoError(t, set.Validate()) }
	})
	check("pairs", 1000, func(n int) func() {
		p := PortSecurity{Interface: "p", MAC: [6]byte{2}}
		for i := range n {
			p.Pairs = append(p.Pairs, AddressPair{Prefix: host4(i)})
		}
		return func() { _, _, _ = p.sources() }
	})
}

// processor is how long this thread has had one.
func processor(t *testing.T) time.Duration {
	var spent unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &spent))
	return time.Duration(spent.Nano())
}
