// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/ip_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A wire is a real VPP whose packet generator sends frames into pg0 or pg1; what is
// not dropped leaves by the other, by way of a bridge domain.
type wire struct {
	vpp  *vpptest.RealVPP
	conn *vppnet.Conn
	runs int

	engine *desiredstate.Engine
}

func newWire(t *testing.T) *wire {
	v := vpptest.Real(t)
	c, err := vppnet.Dial(t.Context(), v.Socket(), "me", vppnet.WithReplyTimeout(time.Minute))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	w := &wire{vpp: v, conn: c, engine: desiredstate.New(
		vppnet.Interfaces(c), acl.Sets(c), acl.Bindings(c), acl.MACIPSets(c), acl.MACIPBindings(c),
		acl.EtherTypeLists(c, vppnet.ClaimInterfaces(func(string) bool { return true })))}
	w.engine.MaxPrune = 1
	for _, port := range []string{"pg0", "pg1"} {
		w.cli(t, "create packet-generator interface "+port)
		w.cli(t, "set interface state "+port+" up")
		w.cli(t, "set interface l2 bridge "+port+" 5")
	}
	return w
}

func (w *wire) cli(t require.TestingT, command string) string {
	out, err := w.vpp.CLI(command)
	require.NoError(t, err, "%s: %s", command, out)
	return out
}

// A fate is what became of a frame: the rule that VPP's trace names, if any, and
// whether it came out.
type fate struct {
	action    int
	acl, rule int
	out       bool
}

var (
	traceMACs = regexp.MustCompile(`[0-9a-f:]{17} -> 02:ff:00:00:([0-9a-f]{2}):([0-9a-f]{2})`)
	traceACL  = regexp.MustCompile(`acl-plugin: .* action: (\d+), match: acl (-?\d+) rule (-?\d+) `)
)

// send sends frames, made of all but the destination's MAC, which numbers them, into
// a port.
func (w *wire) send(t require.TestingT, port string, frames ...[]byte) []fate {
	other := map[string]string{"pg0": "pg1", "pg1": "pg0"}[port]
	file := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	for _, x := range []uint32{2 | 4<<16, 0, 0, 65535, 1} {
		file = binary.LittleEndian.AppendUint32(file, x)
	}
	for i, f := range frames {
		for _, x := range []uint32{0, 0, uint32(6 + len(f)), uint32(6 + len(f))} {
			file = binary.LittleEndian.AppendUint32(file, x)
		}
		file = append(append(file, 2, 0xff, 0, 0, byte(i>>8), byte(i)), f...)
	}
	w.runs++
	path := filepath.Join(w.vpp.Dir(), "in.pcap")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	w.cli(t, "clear trace")
	w.cli(t, fmt.Sprintf("trace add pg-input %d", len(frames)))
	w.cli(t, fmt.Sprintf("packet-generator new pcap %s source %s name s%d", path, port, w.runs))
	w.cli(t, fmt.Sprintf("packet-generator enable-stream s%d", w.runs))
	var packets []string
	require.Eventually(t, func() bool {
		packets = strings.Split(w.cli(t, fmt.Sprintf("show trace max %d", len(frames))), "\nPacket ")[1:]
		return len(packets) == len(frames)
	}, 20*time.Second, 10*time.Millisecond, "VPP has traced %d of %d frames", len(packets), len(frames))
	w.cli(t, fmt.Sprintf("packet-generator delete s%d", w.runs))

	fates, seen := make([]fate, len(frames)), 0
	for _, p := range packets {
		m := traceMACs.FindStringSubmatch(p)
		require.NotNil(t, m, "%s", p)
		hi, _ := strconv.ParseUint(m[1], 16, 8)
		lo, _ := strconv.ParseUint(m[2], 16, 8)
		f := fate{action: -1, acl: -1, rule: -1, out: strings.Contains(p, other+"-tx")}
		if m := traceACL.FindStringSubmatch(p); m != nil {
			f.action, _ = strconv.Atoi(m[1])
			f.acl, _ = strconv.Atoi(m[2])
			f.rule, _ = strconv.Atoi(m[3])
		}
		fates[hi<<8|lo] = f
		seen++
	}
	require.Equal(t, len(frames), seen)
	return fates
}

// ethernet puts an Ethernet header without destination, and tags, before a payload.
func ethernet(src vppnet.MAC, etherType uint16, payload []byte, tags ...uint16) []byte {
	b := append([]byte{}, src[:]...)
	for i, tag := range tags {
		outer := uint16(0x8100)
		if i == 0 && len(tags) == 2 {
			outer = 0x88a8
		}
		b = append(b, be(outer, tag)...)
	}
	return append(append(b, be(etherType)...), payload...)
}

func etherType(a netip.Addr) uint16 {
	if a.Is4() {
		return 0x0800
	}
	return 0x86dd
}

// agree makes VPP hold the objects and compares what it does with random packets of a
// world to what Explain says of sets. It counts how packets fared.
func (w *wire) agree(t *rapid.T, n world, objects []desiredstate.Object, sets []acl.Set, tally map[string]int) {
	report, err := w.engine.Sync(context.Background(), objects...)
	require.NoError(t, err)
	index := map[string]int{"": -1}
	for _, r := range report {
		if r.Key.Space == acl.SetKey("").Space {
			index[r.Key.Name] = int(r.ID)
		}
	}
	var packets []acl.Packet
	var frames [][]byte
	flows := map[acl.Packet]bool{} // one packet of each, for sessions let the second pass
	for _, p := range rapid.SliceOfN(rapid.Custom(n.packet), 20, 40).Draw(t, "packets") {
		if !flows[flow(p)] {
			flows[flow(p)] = true
			packets = append(packets, p)
			frames = append(frames, ethernet(hostMAC, etherType(p.Src), bytes(p, rapid.Bool().Draw(t, "extended"))))
		}
	}
	for i, got := range w.send(t, "pg0", frames...) {
		v, err := acl.Explain(packets[i], sets...)
		require.NoError(t, err)
		require.Equal(t, got, fate{int(v.Action), index[v.Set], v.Index, v.Passes()}, "%s\n%s\n%v", packets[i], v, sets)
		if v.Index < 0 {
			tally["no rule"]++
		} else {
			tally[v.Action.String()]++
		}
	}
}

var hostMAC = vppnet.MAC{2, 0, 0, 0, 0, 1}

// Explain names the rule that VPP's trace names, and says pass where VPP passes it
// on: for random sets and packets, in both directions.
func TestExplainAgreesWithVPP(t *testing.T) {
	w := newWire(t)
	n, tally := world(0), map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		n++
		sets := []acl.Set{n.set("a").Draw(t, "a"), n.set("b").Draw(t, "b"), n.set("c").Draw(t, "c")}
		sets = sets[:rapid.IntRange(1, 3).Draw(t, "sets")]
		bind := acl.Binding{Interface: vppnet.Foreign("pg0")}
		objects := []desiredstate.Object{}
		for _, s := range sets {
			objects = append(objects, s)
			bind.Input = append(bind.Input, s.Name)
		}
		if rapid.Bool().Draw(t, "output") {
			bind.Interface, bind.Input, bind.Output = vppnet.Foreign("pg1"), nil, bind.Input
		}
		w.agree(t, n, append(objects, bind), sets, tally)
	})
	t.Log(tally)
}

// ExplainMACIP says pass where VPP passes a frame on: for random sets, also ones that
// contradict themselves, and frames with and without tags.
func TestExplainMACIPAgreesWithVPP(t *testing.T) {
	w := newWire(t)
	w.conn.Uses(&binding.MacipACLAddReplace{}, &binding.MacipACLInterfaceAddDel{})
	vpp := binding.NewServiceClient(w.conn)
	id := ^uint32(0)
	frames, verdicts := 0, map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		set := acl.MACIPSet{Name: "s", Rules: rapid.SliceOfN(rapid.Custom(someMACIPRule), 1, 8).Draw(t, "rules")}
		msg := &binding.MacipACLAddReplace{ACLIndex: id, Count: uint32(len(set.Rules))}
		for _, r := range set.Rules {
			msg.R = append(msg.R, macipMessage(r))
		}
		reply, err := vpp.MacipACLAddReplace(context.Background(), msg)
		require.NoError(t, err)
		if id != reply.ACLIndex {
			id = reply.ACLIndex
			_, err = vpp.MacipACLInterfaceAddDel(context.Background(), &binding.MacipACLInterfaceAddDel{IsAdd: true, SwIfIndex: 1, ACLIndex: id})
			require.NoError(t, err)
		}
		list := rapid.SliceOfN(rapid.Custom(someFrame), 20, 40).Draw(t, "frames")
		var raw [][]byte
		for _, f := range list {
			raw = append(raw, frameBytes(f, rapid.SampledFrom([][]uint16{nil, nil, {7}, {7, 8}}).Draw(t, "tags")))
		}
		for i, got := range w.send(t, "pg0", raw...) {
			v, err := acl.ExplainMACIP(list[i], set)
			require.NoError(t, err)
			require.Equal(t, got.out, v.Passes(), "%s\n%s\n%s", list[i], v, set)
			frames++
			verdicts[v.Action.String()]++
		}
	})
	t.Logf("%d frames: %v", frames, verdicts)
}

func macipMessage(r acl.MACIPRule) acl_types.MacipACLRule {
	m := acl_types.MacipACLRule{IsPermit: acl_types.ACLAction(r.Action), SrcMac: [6]byte(r.MAC), SrcMacMask: [6]byte(r.Mask)}
	if r.Mask.IsZero() && !r.MAC.IsZero() {
		m.SrcMacMask = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	if r.Src.IsValid() {
		m.SrcPrefix, _ = ip_types.ParsePrefix(r.Src.String())
	} else if r.Family == acl.IPv6 {
		m.SrcPrefix.Address.Af = ip_types.ADDRESS_IP6
	}
	return m
}
