// SPDX-License-Identifier: Apache-2.0

package dhcp_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/dhcp"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// VPP puts the name that a server gives a client in the place of the one that the client was told. That is no
// difference: making the client anew would give up its lease. Another name of ours is one.
func TestServerNamesTheClient(t *testing.T) {
	onBoth(t, func(t *testing.T, dial func() *vppnet.Conn, serve func(hostname string)) {
		for _, told := range []string{"", "edge1.example.com"} {
			want := []desiredstate.Object{wan, wanUp, dhcp.Client{Interface: "wan", Hostname: told}}
			e := engine(dial())
			r, err := e.Ensure(t.Context(), want...)
			require.NoError(t, err)
			require.Positive(t, r.Changed())
			serve("edge1")
			for _, e := range []*desiredstate.Engine{e, e, engine(dial())} {
				e.Forget()
				p, err := e.Plan(t.Context(), want...)
				require.NoError(t, err)
				require.True(t, p.Empty(), p.String())
			}
			for _, e := range []*desiredstate.Engine{e, engine(dial())} {
				p, err := e.Plan(t.Context(), wan, wanUp, dhcp.Client{Interface: "wan", Hostname: "other"})
				require.NoError(t, err)
				require.Equal(t, 1, p.Count(desiredstate.Replace), p.String())
			}
		}
	})
}

// A client that an interface left behind when it went is none of what gets its index, whether it waits for an
// answer or has a lease. It is made anew by who never saw the interface go.
func TestLeftToAnother(t *testing.T) {
	for _, bound := range []bool{false, true} {
		t.Run(fmt.Sprint("bound ", bound), func(t *testing.T) {
			onBoth(t, func(t *testing.T, dial func() *vppnet.Conn, serve func(hostname string)) {
				want := []desiredstate.Object{wan, wanUp, dhcp.Client{Interface: "wan"}}
				r, err := engine(dial()).Ensure(t.Context(), want...)
				require.NoError(t, err)
				if bound {
					serve("edge1")
				}
				for range 2 { // the second one finds it whole
					p, err := engine(dial()).Plan(t.Context(), want...)
					require.NoError(t, err)
					require.True(t, p.Empty(), p.String())
				}
				hand := kindrig.Engine(vppnet.Loopbacks(dial()))
				_, err = hand.Remove(t.Context(), wan.Key())
				require.NoError(t, err)
				again, err := hand.Ensure(t.Context(), wan)
				require.NoError(t, err)
				require.Equal(t, r[0].ID, again[0].ID)

				p, err := engine(dial()).Plan(t.Context(), want...)
				require.NoError(t, err)
				require.Equal(t, 1, p.Count(desiredstate.Replace), p.String())
				_, err = engine(dial()).Ensure(t.Context(), want...)
				require.NoError(t, err)
				serve("edge1")
				p, err = engine(dial()).Plan(t.Context(), want...)
				require.NoError(t, err)
				require.True(t, p.Empty(), p.String())
			})
		})
	}
}

// VPP gives no interface an address that overlaps another's, whatever the server says. To make the client anew would
// not help.
func TestLeaseThatOverlaps(t *testing.T) {
	onBoth(t, func(t *testing.T, dial func() *vppnet.Conn, serve func(hostname string)) {
		want := []desiredstate.Object{wan, wanUp, dhcp.Client{Interface: "wan"}}
		r, err := engine(dial()).Ensure(t.Context(), want...)
		require.NoError(t, err)
		c := dial()
		_, err = kindrig.Engine(vppnet.Loopbacks(c), l3.Tables(c), l3.Addresses(c)).Ensure(t.Context(), vppnet.Loopback{Name: "lan"}, l3.Address{Interface: "lan", Prefix: netip.MustParsePrefix("10.0.0.1/16")})
		require.NoError(t, err)
		serve("")
		has, err := vppnet.Collect(ip.NewServiceClient(c).IPAddressDump(t.Context(), &ip.IPAddressDump{SwIfIndex: interface_types.InterfaceIndex(r[0].ID)}))
		require.NoError(t, err)
		require.Empty(t, has)
		p, err := engine(dial()).Plan(t.Context(), append(want, vppnet.Loopback{Name: "lan"})...)
		require.NoError(t, err)
		require.True(t, p.Empty(), p.String())
	})
}

var (
	wan   = vppnet.Loopback{Name: "wan", MAC: kindrig.MAC(1)}
	wanUp = vppnet.LinkState{Interface: "wan", Up: true}
	lease = netip.MustParsePrefix("10.0.0.7/24")
)

// onBoth runs a test on both VPPs, with connections of one owner and with a server behind wan, which gives its
// client the lease and a name.
func onBoth(t *testing.T, test func(t *testing.T, dial func() *vppnet.Conn, serve func(hostname string))) {
	dial := func(t *testing.T, socket string) func() *vppnet.Conn {
		return func() *vppnet.Conn { return kindrig.Dial(t, socket, "me") }
	}
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t)
		test(t, dial(t, vpp.Socket()), func(hostname string) { vpp.Lease("loop0", lease, hostname) })
	})
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.Real(t)
		test(t, dial(t, vpp.Socket()), func(hostname string) { serve(t, vpp, hostname) })
	})
}

func engine(c *vppnet.Conn) *desiredstate.Engine { return kindrig.Engine(kinds(c)...) }

// serve answers the client of loop0 until it has the lease. VPP's packet generator is the server.
func serve(t *testing.T, vpp *vpptest.RealVPP, hostname string) {
	cli := func(format string, args ...any) {
		out, err := vpp.CLI(fmt.Sprintf(format, args...))
		require.NoError(t, err)
		require.Empty(t, out)
	}
	for _, kind := range []byte{offer, ack} {
		packet := answer(kind, hostname)
		cli("packet-generator new { name says-%d limit -1 rate 50 node ip4-input interface loop0 size %d-%d data { hex 0x%x } }", kind, len(packet), len(packet), packet)
	}
	cli("packet-generator enable")
	c := kindrig.Dial(t, vpp.Socket(), "me")
	require.Eventually(t, func() bool {
		leases, err := dhcp.Leases(t.Context(), c)
		return err == nil && leases[1].Bound && leases[1].Address == lease
	}, 30*time.Second, 20*time.Millisecond)
	cli("packet-generator delete says-%d", offer)
	cli("packet-generator delete says-%d", ack)
}

// What a server says.
const (
	offer = 2
	ack   = 5
)

// answer is a packet of a DHCP server, of this kind.
func answer(kind byte, hostname string) []byte {
	bootp := make([]byte, 236, 600)
	bootp[0], bootp[1], bootp[2] = 2, 1, 6
	copy(bootp[16:], lease.Addr().AsSlice())
	copy(bootp[28:], wan.MAC[:])
	bootp = append(bootp, 99, 130, 83, 99, 53, 1, kind, 51, 4, 0, 1, 0, 0, 54, 4, 10, 0, 0, 1, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 1)
	if hostname != "" {
		bootp = append(append(bootp, 12, byte(len(hostname))), hostname...)
	}
	bootp = append(bootp, 255)
	out := make([]byte, 28, 28+len(bootp))
	out[0], out[8], out[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(out[2:], uint16(28+len(bootp)))
	copy(out[12:], []byte{10, 0, 0, 1, 255, 255, 255, 255})
	var sum uint32
	for n := 0; n < 20; n += 2 {
		sum += uint32(binary.BigEndian.Uint16(out[n:]))
	}
	binary.BigEndian.PutUint16(out[10:], ^uint16(sum+sum>>16))
	binary.BigEndian.PutUint16(out[20:], 67)
	binary.BigEndian.PutUint16(out[22:], 68)
	binary.BigEndian.PutUint16(out[24:], uint16(8+len(bootp)))
	return append(out, bootp...)
}
