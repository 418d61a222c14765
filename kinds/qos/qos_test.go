// SPDX-License-Identifier: Apache-2.0

package qos_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/policer_types"
	binding "go.fd.io/govpp/binapi/qos"
	"go.fd.io/govpp/binapi/vlib"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func both(t *testing.T, test func(t *testing.T, vpp vpptest.Target, state func() string)) {
	kindrig.Both(t, func(p *vpptest.Proxy) string { return p.State(dumps()...) }, test)
}

// open is a program that starts: it remembers nothing.
func open(t testing.TB, socket string) (rig, *desiredstate.Engine) {
	r := rig{c: kindrig.Dial(t, socket, "me"), memory: new(vppnet.Memory)}
	r.maps = qos.EgressMaps(r.c, ourMaps)
	return r, kindrig.Engine(r.kinds()...)
}

// times is how often policers are on an interface.
func times(t *testing.T, vpp vpptest.Target, c *vppnet.Conn, loop string) (in, out int) {
	if v, ok := vpp.(*vpptest.VPP); ok {
		for line := range strings.Lines(v.String()) {
			n := 0
			if strings.Contains(line, " on 1 in ") && strings.HasPrefix(strings.TrimSpace(line), "policer ") {
				n = 1
				if words := strings.Fields(line); words[len(words)-1] == "times" {
					_, _ = fmt.Sscan(words[len(words)-2], &n)
				}
			}
			if strings.Contains(line, "device-input") {
				in += n
			} else if strings.Contains(line, "ip4-output") {
				out += n
			}
		}
		return in, out
	}
	c.Uses(&vlib.CliInband{})
	r, err := vlib.NewServiceClient(c).CliInband(t.Context(), &vlib.CliInband{Cmd: "show interface features " + loop})
	require.NoError(t, err)
	arc := ""
	for line := range strings.Lines(r.Reply) {
		switch name := strings.TrimSpace(line); {
		case strings.HasSuffix(name, ":"):
			arc = name
		case name == "policer-input" && (arc == "device-input:" || arc == "ip4-unicast:"):
			in++
		case name == "policer-output" && arc == "ip4-output:":
			out++
		}
	}
	return in, out
}

// Whatever is restarted, taken off or put on once more, a policer measures once.
func TestAttachedOnce(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		want := append(policed()[:3:3], qos.Attachment{Interface: "lo", Policer: "gold"}, qos.Attachment{Interface: "lo", Policer: "gold", Output: true})
		r, e := open(t, vpp.Socket())
		once := func(what string) {
			t.Helper()
			in, out := times(t, vpp, r.c, "loop0")
			require.Equal(t, [2]int{1, 1}, [2]int{in, out}, what)
		}
		_, err := e.Ensure(t.Context(), want...)
		require.NoError(t, err)
		once("attached")
		for range 2 {
			_, again := open(t, vpp.Socket())
			_, err = again.Sync(t.Context(), want...)
			require.NoError(t, err)
			once("after a restart")
			before := vpp.Writes()
			again.Forget()
			_, err = again.Sync(t.Context(), want...)
			require.NoError(t, err)
			require.Equal(t, before, vpp.Writes(), "once it is known, nothing is written")
		}
		r.c.Uses(&policer.PolicerInput{})
		byHand := func(on bool) {
			_, err := policer.NewServiceClient(r.c).PolicerInput(t.Context(), &policer.PolicerInput{Name: "me/tin", SwIfIndex: 1, Apply: on})
			require.NoError(t, err)
		}
		byHand(false)
		e.Forget()
		_, err = e.Ensure(t.Context(), want...)
		require.NoError(t, err)
		once("taken off by hand")
		byHand(true)
		byHand(true)
		_, stranger := open(t, vpp.Socket())
		_, err = stranger.Ensure(t.Context(), want...)
		require.NoError(t, err)
		once("put on twice by hand")
		change := append(want[:3:3], qos.Attachment{Interface: "lo", Policer: "tin"}, want[4])
		_, err = stranger.Ensure(t.Context(), change...)
		require.NoError(t, err)
		once("another policer")

		_, last := open(t, vpp.Socket()) // and who knows nothing of it can take all away
		_, err = last.Sync(t.Context(), want[2])
		require.NoError(t, err)
		in, out := times(t, vpp, r.c, "loop0")
		require.Zero(t, in+out)
	})
}

// What comes in by a sub-interface is not measured by its own policer, up to 25.10.
func TestAttachmentOfSubInterface(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		_, e := open(t, vpp.Socket())
		_, err := e.Ensure(t.Context(), append(policed(), qos.Attachment{Interface: "sub", Policer: "gold", Output: true})...)
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), qos.Attachment{Interface: "sub", Policer: "gold"})
		if err != nil { // 26.06 can
			require.ErrorIs(t, err, desiredstate.ErrInvalid)
			require.ErrorContains(t, err, "attach the policer to its parent")
		}
	})
}

// Indexes are found where there are gaps, and nothing is written for it.
func TestPolicersWithGaps(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		_, e := open(t, vpp.Socket())
		var all, even []desiredstate.Object
		for i := range 200 {
			p := qos.Policer{Name: fmt.Sprint("p", i), Rate: uint32(i + 1), Burst: 1, Conform: qos.Transmit}
			if all = append(all, p); i%2 == 0 || i == 199 {
				even = append(even, p)
			}
		}
		made, err := e.Ensure(t.Context(), all...)
		require.NoError(t, err)
		_, err = e.Sync(t.Context(), even[len(even)-1]) // one at the end is left
		require.NoError(t, err)
		for _, left := range [][]desiredstate.Object{even[len(even)-1:], even, all} {
			_, err = e.Ensure(t.Context(), left...)
			require.NoError(t, err)
			before := vpp.Writes()
			_, again := open(t, vpp.Socket())
			r, err := again.Ensure(t.Context(), left...)
			require.NoError(t, err)
			require.Equal(t, before, vpp.Writes())
			now, err := e.Ensure(t.Context(), left...)
			require.NoError(t, err)
			for _, o := range left {
				mine, _ := r.Of(o.Key())
				first, _ := now.Of(o.Key())
				require.Equal(t, first.ID, mine.ID, o.Key())
			}
		}
		require.Equal(t, 200, made.Changed())
	})
}

// What Validate accepts VPP takes, and what it refuses VPP refuses, or it would let pass
// nothing.
func TestValidateAsVPP(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		r, e := open(t, vpp.Socket())
		r.c.Uses(&policer.PolicerAdd{})
		rapid.Check(t, func(t *rapid.T) {
			small := []uint32{0, 1, 2, 500, 1 << 30, 1<<32 - 1}
			burst := []uint64{0, 1, 100, 1<<32 - 1, 1 << 32}
			p := qos.Policer{
				Name: "x", Type: qos.Type(rapid.IntRange(0, 4).Draw(t, "type")), Packets: rapid.Bool().Draw(t, "packets"), Conform: qos.Transmit,
				Rate: kindrig.Pick(t, "rate", small...), PeakRate: kindrig.Pick(t, "peak", small...), Burst: kindrig.Pick(t, "burst", burst...), ExcessBurst: kindrig.Pick(t, "excess", burst...),
			}
			req := &policer.PolicerAdd{Name: "me/x", Infos: policer_types.PolicerConfig{Type: policer_types.Sse2QosPolicerType(p.Type), Cir: p.Rate, Eir: p.PeakRate, Cb: p.Burst, Eb: p.ExcessBurst}}
			if p.Packets {
				req.Infos.RateType = policer_types.SSE2_QOS_RATE_API_PPS
			}
			_, refused := policer.NewServiceClient(r.c).PolicerAdd(t.Context(), req)
			e.Forget()
			if _, err := e.Remove(t.Context(), p.Key()); err != nil {
				t.Fatal(err)
			}
			err := p.Validate()
			switch {
			case err == nil && refused != nil:
				t.Fatalf("VPP refuses %+v: %v", p, refused)
			case err != nil && refused == nil && p.Burst < 1<<32 && p.ExcessBurst < 1<<32 && p.Type <= qos.TwoRatesExcess && !strings.Contains(err.Error(), "no rate") && !p.Packets:
				t.Fatalf("VPP takes %+v, refused is %v", p, err)
			}
		})
	})
}

// A mark that an interface left behind is not taken for one.
func TestMarkLeftBehind(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		r, e := open(t, vpp.Socket())
		want := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, qos.EgressMap{ID: 5}, qos.Mark{Interface: "lo", Source: qos.IP, Map: 5}}
		_, err := e.Ensure(t.Context(), want[:2]...)
		require.NoError(t, err)
		r.c.Uses(&binding.QosMarkEnableDisable{})
		mark := func() {
			_, err := binding.NewServiceClient(r.c).QosMarkEnableDisable(t.Context(), &binding.QosMarkEnableDisable{Enable: true, Mark: binding.QosMark{SwIfIndex: 1, MapID: 5, OutputSource: binding.QOS_API_SOURCE_IP}})
			require.NoError(t, err)
		}
		mark()
		_, err = kindrig.Engine(vppnet.Loopbacks(r.c)).Remove(t.Context(), want[0].Key())
		require.NoError(t, err)
		_, e = open(t, vpp.Socket())
		_, err = e.Ensure(t.Context(), want[0])
		require.NoError(t, err)
		e.Forget()
		p, err := e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Contains(t, p.String(), "no effect")
		_, err = e.Apply(t.Context(), p)
		require.NoError(t, err)
		kindrig.Steady(t, e, want...)
		_, err = e.Sync(t.Context(), want[0])
		require.NoError(t, err)
		left, err := vppnet.Collect(binding.NewServiceClient(r.c).QosMarkDump(t.Context(), &binding.QosMarkDump{}))
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

// What is on more often than once is off when it is removed.
func TestRecordedTwice(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		r, e := open(t, vpp.Socket())
		want := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, qos.Record{Interface: "lo", Source: qos.IP}, qos.Store{Interface: "lo", Value: 9}}
		_, err := e.Ensure(t.Context(), want...)
		require.NoError(t, err)
		q := binding.NewServiceClient(r.c)
		_, err = q.QosRecordEnableDisable(t.Context(), &binding.QosRecordEnableDisable{Enable: true, Record: binding.QosRecord{SwIfIndex: interface_types.InterfaceIndex(1), InputSource: binding.QOS_API_SOURCE_IP}})
		require.NoError(t, err)
		_, err = q.QosStoreEnableDisable(t.Context(), &binding.QosStoreEnableDisable{Enable: true, Store: binding.QosStore{SwIfIndex: 1, InputSource: binding.QOS_API_SOURCE_IP, Value: 3}})
		require.NoError(t, err)
		want[2] = qos.Store{Interface: "lo", Value: 3}
		kindrig.Steady(t, e, want...)
		_, err = e.Sync(t.Context(), want[0])
		require.NoError(t, err)
		left, err := vppnet.Ask(t.Context(), r.c, &binding.QosRecordDump{}, &binding.QosStoreDump{})
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

func TestValidate(t *testing.T) {
	ok := qos.Policer{Name: "a", Rate: 1, Burst: 1, Conform: qos.Transmit}
	require.NoError(t, ok.Validate())
	for _, tc := range []struct {
		change func(*qos.Policer)
		err    string
	}{
		{func(p *qos.Policer) { p.Name = "a/b" }, "name"},
		{func(p *qos.Policer) { p.Conform = qos.Action{} }, "say what passes"},
		{func(p *qos.Policer) { p.Conform = qos.Action{Do: 3} }, "packets that conform: action 3"},
		{func(p *qos.Policer) { p.Exceed = qos.MarkDSCP(64) }, "packets that exceed get DSCP 64, want at most 63"},
		{func(p *qos.Policer) { p.Violate = qos.Action{Do: qos.Pass, DSCP: 1} }, "only mark-and-transmit writes"},
		{func(p *qos.Policer) { p.Type = 4 }, "type 4"},
		{func(p *qos.Policer) { p.Rate = 0 }, "no rate"},
		{func(p *qos.Policer) { p.PeakRate = 2 }, "1r2c has one rate"},
		{func(p *qos.Policer) { p.ExcessBurst = 2 }, "1r2c has one burst"},
		{func(p *qos.Policer) { p.Burst = 0 }, "no burst"},
		{func(p *qos.Policer) { p.Burst = 1 << 32 }, "more than 4294967295 bytes"},
		{func(p *qos.Policer) { p.Packets = true }, "less than a byte"},
		{func(p *qos.Policer) { p.Packets, p.Burst = true, 1<<33 }, "49 days"},
		{func(p *qos.Policer) { p.Type = qos.TwoRatesPeak }, "the peak rate 0 is below the rate 1"},
		{func(p *qos.Policer) { p.Type, p.PeakRate = qos.TwoRatesExcess, 1 }, "no excess burst"},
	} {
		p := ok
		tc.change(&p)
		require.ErrorContains(t, p.Validate(), tc.err)
	}
	require.ErrorContains(t, qos.Attachment{Interface: "a"}.Validate(), "policer: name is empty")
	require.ErrorContains(t, qos.Record{Interface: "a"}.Validate(), "ext is not in packets")
	require.ErrorContains(t, qos.Mark{Interface: "a", Source: 9}.Validate(), "source 9 is not in packets")
	require.ErrorContains(t, qos.EgressMap{ID: 1<<32 - 1}.Validate(), "has gone")
}

// A policer comes back from JSON as it was.
func TestJSON(t *testing.T) {
	p := qos.Policer{Name: "a", Type: qos.TwoRatesExcess, Rounding: qos.Up, Conform: qos.MarkDSCP(46)}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.Contains(t, string(text), `"Type":"2r3c-4115"`)
	var back qos.Policer
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, p, back)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"Type":"x"}`), &back), `type "x", want one of`)
}
