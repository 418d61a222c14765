// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A cloud's node: 1,000 ports, each with 5 of 50 security groups in both
// directions, and addresses of its own; a group has 20 rules each way.
const (
	manyPorts  = 1000
	manyGroups = 50
	perPort    = 5
)

func group(n, changed int) (in, out acl.Set) {
	in, out = acl.Set{Name: fmt.Sprintf("g%d-in", n)}, acl.Set{Name: fmt.Sprintf("g%d-out", n)}
	for i := range 20 {
		r := acl.Rule{Action: acl.PermitReflect, Protocol: acl.TCP, DstPorts: acl.Only(uint16(1000*i + n))}
		r.Src = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), byte(i)}), 24)
		if i == 7 {
			r.DstPorts = acl.Only(uint16(50000 + changed))
		}
		in.Rules = append(in.Rules, r)
		r.Src, r.Dst = netip.Prefix{}, r.Src
		out.Rules = append(out.Rules, r)
	}
	return in, out
}

func portName(n int) string { return fmt.Sprintf("p%d", n) }

func cloud() (ports, filters []desiredstate.Object) {
	for n := range manyGroups {
		in, out := group(n, 0)
		filters = append(filters, in, out)
	}
	for n := range manyPorts {
		ports = append(ports, vppnet.Loopback{Name: portName(n)})
		b := acl.Binding{Interface: portName(n)}
		for g := range perPort {
			b.Input = append(b.Input, fmt.Sprintf("g%d-in", (n+g*7)%manyGroups))
			b.Output = append(b.Output, fmt.Sprintf("g%d-out", (n+g*7)%manyGroups))
		}
		m := vppnet.MAC{2, 0, 0, 0, byte(n >> 8), byte(n)}
		filters = append(filters, b, acl.MACIPBinding{Interface: portName(n), Set: portName(n)}, acl.MACIPSet{Name: portName(n), Rules: []acl.MACIPRule{
			{Action: acl.Permit, MAC: m, Src: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), 32)},
			{Action: acl.Permit, MAC: m, Src: netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 14: byte(n >> 8), 15: byte(n)}), 128)},
		}})
	}
	return ports, filters
}

func onBothBench(b *testing.B, bench func(b *testing.B, socket string)) {
	b.Run("in memory", func(b *testing.B) { bench(b, vpptest.New(b).Socket()) })
	b.Run("real", func(b *testing.B) {
		bench(b, vpptest.Real(b, vpptest.WithStartup("memory { main-heap-size 2G main-heap-page-size 4k }")).Socket())
	})
}

// BenchmarkCloud puts the filters on ports that are there. "by hand" sends the same
// messages, made beforehand, as fast as they go: it reads nothing, checks nothing.
func BenchmarkCloud(b *testing.B) {
	ports, filters := cloud()
	onBothBench(b, func(b *testing.B, socket string) {
		c := dial(b, socket, "me", vppnet.WithReplyTimeout(time.Minute))
		e := engine(c)
		e.MaxPrune = 1
		r, err := e.Ensure(b.Context(), ports...)
		require.NoError(b, err)
		clean := func() {
			_, err := e.Sync(b.Context(), ports...)
			require.NoError(b, err)
		}
		messages := func(b *testing.B, before uint64) {
			b.ReportMetric(float64(c.Stats().Sent-before)/float64(b.N), "messages/op")
		}
		b.Run("cold", func(b *testing.B) {
			sent := uint64(0)
			for b.Loop() {
				before := c.Stats().Sent
				_, err := e.Ensure(b.Context(), filters...)
				require.NoError(b, err)
				sent += c.Stats().Sent - before
				b.StopTimer()
				clean()
				b.StartTimer()
			}
			b.ReportMetric(float64(sent)/float64(b.N), "messages/op")
		})
		b.Run("cold by hand", func(b *testing.B) {
			for b.Loop() {
				byHand(b, c, r, filters)
				b.StopTimer()
				e.Forget()
				clean()
				b.StartTimer()
			}
		})
		_, err = e.Ensure(b.Context(), filters...)
		require.NoError(b, err)
		b.Run("one rule of one group", func(b *testing.B) {
			n, before := 0, c.Stats().Sent
			for b.Loop() {
				n++
				in, _ := group(3, n)
				_, err := e.Ensure(b.Context(), in)
				require.NoError(b, err)
			}
			messages(b, before)
		})
		b.Run("nothing", func(b *testing.B) {
			before := c.Stats().Sent
			for b.Loop() {
				_, err := e.Ensure(b.Context(), filters...)
				require.NoError(b, err)
			}
			messages(b, before)
		})
		b.Run("reading", func(b *testing.B) {
			want := append(append([]desiredstate.Object{}, ports...), filters...)
			before := c.Stats().Sent
			for b.Loop() {
				e.Forget()
				p, err := e.Plan(b.Context(), want...)
				require.NoError(b, err)
				require.LessOrEqual(b, len(p.Steps), 1) // the changed rule
			}
			messages(b, before)
		})
	})
}

func byHand(b *testing.B, c *vppnet.Conn, ports desiredstate.Report, filters []desiredstate.Object) {
	vpp := binding.NewServiceClient(c)
	ids := map[string]uint32{}
	for _, r := range ports {
		ids[r.Key.Name] = r.ID
	}
	sets, macips := map[string]uint32{}, map[string]uint32{}
	for _, o := range filters {
		switch o := o.(type) {
		case acl.Set:
			sets[o.Name] = 0
		case acl.MACIPSet:
			macips[o.Name] = 0
		}
	}
	var first, then errgroup.Group
	first.SetLimit(256)
	then.SetLimit(256)
	index := make([]uint32, len(filters))
	for i, o := range filters {
		switch o := o.(type) {
		case acl.Set:
			first.Go(func() error {
				req, err := acl.EncodeSet(c, o)
				if err != nil {
					return err
				}
				r, err := vpp.ACLAddReplace(b.Context(), req)
				index[i] = r.ACLIndex
				return err
			})
		case acl.MACIPSet:
			first.Go(func() error {
				req, err := acl.EncodeMACIPSet(c, o)
				if err != nil {
					return err
				}
				r, err := vpp.MacipACLAddReplace(b.Context(), req)
				index[i] = r.ACLIndex
				return err
			})
		}
	}
	require.NoError(b, first.Wait())
	for i, o := range filters {
		switch o := o.(type) {
		case acl.Set:
			sets[o.Name] = index[i]
		case acl.MACIPSet:
			macips[o.Name] = index[i]
		}
	}
	for _, o := range filters {
		switch o := o.(type) {
		case acl.Binding:
			q := &binding.ACLInterfaceSetACLList{SwIfIndex: interface_types.InterfaceIndex(ids[o.Interface]), Count: 2 * perPort, NInput: perPort}
			for _, s := range append(append([]string{}, o.Input...), o.Output...) {
				q.Acls = append(q.Acls, sets[s])
			}
			then.Go(func() error { _, err := vpp.ACLInterfaceSetACLList(b.Context(), q); return err })
		case acl.MACIPBinding:
			q := &binding.MacipACLInterfaceAddDel{IsAdd: true, SwIfIndex: interface_types.InterfaceIndex(ids[o.Interface]), ACLIndex: macips[o.Set]}
			then.Go(func() error { _, err := vpp.MacipACLInterfaceAddDel(b.Context(), q); return err })
		}
	}
	require.NoError(b, then.Wait())
}
