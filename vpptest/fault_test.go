// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/feature"
	"go.fd.io/govpp/binapi/igmp"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vlib"
	"go.fd.io/govpp/binapi/vpe"
	"pgregory.net/rapid"
)

// Faults do the same in the in-memory VPP and in a proxy before it.
func overFaulty(t *testing.T, test func(t *testing.T, vpp *VPP, front Target)) {
	t.Run("vpp", func(t *testing.T) {
		vpp := New(t)
		test(t, vpp, vpp)
	})
	t.Run("proxy", func(t *testing.T) {
		vpp := New(t)
		test(t, vpp, NewProxy(t, vpp.Socket()))
	})
}

func client(t *testing.T, socket string) *wire {
	t.Helper()
	w, err := dial(socket)
	require.NoError(t, err)
	t.Cleanup(w.close)
	return w
}

func domain5(id uint32) api.Message { return &l2.BridgeDomainAddDelV2{BdID: id, IsAdd: true} }

func TestFaultDrop(t *testing.T) {
	overFaulty(t, func(t *testing.T, vpp *VPP, front Target) {
		w := client(t, front.Socket())
		front.Inject(Fault{Message: "bridge_domain_add_del_v2", Nth: 2, Kind: Drop})
		answers, _, err := w.ask(domain5(1), domain5(2), domain5(3))
		require.NoError(t, err)
		require.Equal(t, []api.Message{
			&l2.BridgeDomainAddDelV2Reply{BdID: 1}, &l2.BridgeDomainAddDelV2Reply{BdID: 3},
		}, answers)
		require.Contains(t, vpp.String(), "bridge-domain 2 ", "executed all the same")
	})
}

func TestFaultRefuse(t *testing.T) {
	overFaulty(t, func(t *testing.T, vpp *VPP, front Target) {
		w := client(t, front.Socket())
		front.Inject(Fault{Nth: 2, Times: 2, Kind: Refuse, Retval: -144})
		answers, _, err := w.ask(domain5(1), domain5(2), &l2.BridgeDomainDump{BdID: none, SwIfIndex: none}, domain5(3))
		require.NoError(t, err)
		require.Equal(t, []api.Message{
			&l2.BridgeDomainAddDelV2Reply{BdID: 1},
			&l2.BridgeDomainAddDelV2Reply{Retval: -144, BdID: none},
			&l2.BridgeDomainAddDelV2Reply{BdID: 3},
		}, answers)
		require.NotContains(t, vpp.String(), "bridge-domain 2 ")
	})
}

// Only what can change VPP is counted, and fails.
func TestFailWrite(t *testing.T) {
	overFaulty(t, func(t *testing.T, vpp *VPP, front Target) {
		w := client(t, front.Socket())
		dump := &l2.BridgeDomainDump{BdID: 77, SwIfIndex: none}
		front.FailWrite(2, false)
		answers, _, err := w.ask(dump, domain5(1), dump, domain5(2), domain5(3))
		require.NoError(t, err)
		require.Equal(t, []api.Message{
			&l2.BridgeDomainAddDelV2Reply{BdID: 1},
			&l2.BridgeDomainAddDelV2Reply{Retval: -1, BdID: none},
			&l2.BridgeDomainAddDelV2Reply{BdID: 3},
		}, answers)
		front.FailWrite(1, true)
		answers, _, err = w.ask(dump, domain5(4))
		require.NoError(t, err)
		require.Empty(t, answers)
		require.NotContains(t, vpp.String(), "bridge-domain 2 ")
		require.Contains(t, vpp.String(), "bridge-domain 4 ")
		front.FailWrite(1, false)
		front.Heal()
		answers, _, err = w.ask(domain5(5))
		require.NoError(t, err)
		require.Len(t, answers, 1)
	})
}

// A proxy shows the state of the VPP behind it, unseen by journal and faults.
func TestProxyState(t *testing.T) {
	p := NewProxy(t, New(t).Socket())
	p.Inject(Fault{Times: -1, Kind: Refuse})
	dumps := []api.Message{&interfaces_api.SwInterfaceDump{SwIfIndex: none}, &l2.BridgeDomainDump{BdID: none, SwIfIndex: none}}
	before := p.State(dumps...)
	require.Contains(t, before, `"interface_name":"local0"`)
	require.Equal(t, before, p.State(dumps...))
	require.Empty(t, p.Sent())
	p.Heal()
	_, _, err := client(t, p.Socket()).ask(domain5(1))
	require.NoError(t, err)
	require.NotEqual(t, before, p.State(dumps...))
	require.Contains(t, p.State(&igmp.IgmpDump{}), "vpp does not know igmp_dump_")
}

func TestFaultCut(t *testing.T) {
	for kind, executed := range map[FaultKind]bool{CutBefore: false, CutAfter: true} {
		overFaulty(t, func(t *testing.T, vpp *VPP, front Target) {
			w := client(t, front.Socket())
			front.Inject(Fault{Nth: 2, Kind: kind})
			answers, _, err := w.ask(domain5(1), domain5(2), domain5(3))
			require.ErrorIs(t, err, io.EOF)
			require.Equal(t, []api.Message{&l2.BridgeDomainAddDelV2Reply{BdID: 1}}, answers)
			if executed {
				require.Contains(t, vpp.String(), "bridge-domain 2 ")
			} else {
				require.NotContains(t, vpp.String(), "bridge-domain 2 ")
			}
			require.NotContains(t, vpp.String(), "bridge-domain 3 ")

			again := client(t, front.Socket())
			answers, _, err = again.ask(domain5(4))
			require.NoError(t, err)
			require.Len(t, answers, 1)
		})
	}
}

func TestFaultDelayAndStall(t *testing.T) {
	overFaulty(t, func(t *testing.T, _ *VPP, front Target) {
		w := client(t, front.Socket())
		front.Inject(Fault{Kind: Delay, Delay: 50 * time.Millisecond})
		start := time.Now()
		_, _, err := w.ask(domain5(1))
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)

		front.Inject(Fault{Kind: Stall, Times: -1})
		start = time.Now()
		healed := time.AfterFunc(50*time.Millisecond, front.Heal)
		defer healed.Stop()
		_, _, err = w.ask(domain5(2))
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)
	})
}

// A test that ends while VPP stalls must not hang.
func TestCloseEndsStall(t *testing.T) {
	overFaulty(t, func(t *testing.T, _ *VPP, front Target) {
		w := client(t, front.Socket())
		front.Inject(Fault{Kind: Stall})
		go func() { _, _, _ = w.ask(domain5(1)) }()
		require.Eventually(t, func() bool { return front.Writes() == 1 }, 30*time.Second, time.Millisecond)
	})
}

// A proxy that was closed can be closed once more, by the test that it was made for.
func TestCloseProxyTwice(t *testing.T) {
	p, err := StartProxy(New(t).Socket())
	require.NoError(t, err)
	p.Close()
	p.Close()
}

func TestJournal(t *testing.T) {
	overFaulty(t, func(t *testing.T, _ *VPP, front Target) {
		w := client(t, front.Socket())
		_, _, err := w.ask(
			&interfaces_api.CreateLoopback{}, &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: 77, Enable: true},
			&interfaces_api.SwInterfaceDump{}, &interfaces_api.WantInterfaceEvents{}, &memclnt.APIVersions{},
			&interfaces_api.SwInterfaceGetTable{}, &l2.L2Flags{SwIfIndex: 1, IsSet: true},
		)
		require.NoError(t, err)
		require.Equal(t, 2, front.Writes())
		require.Equal(t, []string{
			"create_loopback", "sw_interface_set_l2_bridge", "sw_interface_dump", "want_interface_events",
			"api_versions", "sw_interface_get_table", "l2_flags", "control_ping",
		}, front.Sent())
		_, _, err = w.ask(&l2.L2Flags{SwIfIndex: 1, IsSet: true, FeatureBitmap: 1})
		require.NoError(t, err)
		require.Equal(t, 3, front.Writes())
		front.ResetLog()
		require.Zero(t, front.Writes())
		require.Empty(t, front.Sent())
	})
}

// same sends requests as a stream does, with one context, and says what came back.
func (w *wire) same(t *testing.T, requests ...api.Message) (answers []string) {
	t.Helper()
	context := w.context
	var out []byte
	for _, m := range append(requests, &memclnt.ControlPing{}) {
		var err error
		w.context = context
		out, _, err = w.frame(out, m)
		require.NoError(t, err)
	}
	_, err := w.conn.Write(out)
	require.NoError(t, err)
	for {
		m, c, err := w.receive(patience)
		require.NoError(t, err)
		require.Equal(t, w.context, c, m.GetMessageName())
		if m.GetMessageName() == "control_ping_reply" {
			return answers
		}
		s, err := say(m)
		require.NoError(t, err)
		answers = append(answers, s.String())
	}
}

// The requests of a stream have one context. A fault meets one of them, wherever it is.
func TestFaultsInStreams(t *testing.T) {
	overFaulty(t, func(t *testing.T, vpp *VPP, front Target) {
		rapid.Check(t, func(rt *rapid.T) {
			require.NoError(t, vpp.Restart())
			front.Heal()
			w, err := dial(front.Socket())
			require.NoError(t, err)
			defer w.close()
			kinds := rapid.SliceOfN(rapid.SampledFrom([]FaultKind{0, Drop, Refuse}), 1, 8).Draw(rt, "faults")
			var requests []api.Message
			var want []string
			for i, kind := range kinds {
				id := uint32(i + 1)
				requests = append(requests, domain5(id), &l2.BridgeDomainDump{BdID: id, SwIfIndex: none})
				if kind != 0 {
					front.Inject(Fault{Message: "bridge_domain_add_del_v2", Nth: i + 1, Kind: kind, Retval: -7})
				}
				reply, details := fmt.Sprintf(`{"bridge_domain_add_del_v2_reply": {"bd_id":%d}}`, id), fmt.Sprintf(`{"bridge_domain_details": {"bd_id":%d,`, id)
				switch kind {
				case 0:
					want = append(want, reply, details)
				case Drop:
					want = append(want, details)
				case Refuse:
					want = append(want, `{"bridge_domain_add_del_v2_reply": {"retval":-7,"bd_id":4294967295}}`)
				}
			}
			have := w.same(t, requests...)
			require.Len(rt, have, len(want))
			for i := range want {
				require.Contains(rt, have[i], want[i])
			}
		})
	})
}

// A reply that begins like a request has its context elsewhere.
func TestFaultsOnOddReplies(t *testing.T) {
	overFaulty(t, func(t *testing.T, vpp *VPP, front Target) {
		Handle(vpp, func(_ *Call, q *feature.FeatureIsEnabled) *feature.FeatureIsEnabledReply {
			return &feature.FeatureIsEnabledReply{IsEnabled: q.SwIfIndex == 0}
		})
		front.ResetLog()
		w := client(t, front.Socket())
		q := &feature.FeatureIsEnabled{}
		yes, no := &feature.FeatureIsEnabledReply{IsEnabled: true}, &feature.FeatureIsEnabledReply{Retval: -7}
		front.Inject(Fault{Message: "feature_is_enabled", Nth: 2, Kind: Drop})
		front.Inject(Fault{Message: "feature_is_enabled", Nth: 3, Kind: Refuse, Retval: -7})
		answers, _, err := w.ask(q, q, q, q)
		require.NoError(t, err)
		require.Equal(t, []api.Message{yes, no, yes}, answers)
		require.Zero(t, front.Writes(), "and it only reads")
	})
}

func TestReads(t *testing.T) {
	overFaulty(t, func(t *testing.T, vpp *VPP, front Target) {
		w := client(t, front.Socket())
		reads := []api.Message{
			&memclnt.ControlPing{}, &interfaces_api.SwInterfaceDump{}, &interfaces_api.SwInterfaceGetTable{}, &vpe.ShowVersion{},
			&interfaces_api.WantInterfaceEvents{}, &l2.L2Flags{IsSet: true}, &l2.BridgeFlags{BdID: 1}, &vlib.CliInband{Cmd: "show version"},
		}
		writes := []api.Message{
			domain5(1), &l2.L2Flags{FeatureBitmap: 1}, &l2.BridgeFlags{BdID: 1, Flags: l2.BRIDGE_API_FLAG_LEARN},
			&vlib.CliInband{Cmd: "create loopback show "}, &l2.L2fibAddDel{},
		}
		_, _, err := w.ask(reads...)
		require.NoError(t, err)
		require.Zero(t, front.Writes(), "%v", front.Sent())
		for i, m := range writes {
			_, _, err = w.ask(m)
			require.NoError(t, err)
			require.Equal(t, i+1, front.Writes(), m.GetMessageName())
		}
		front.ResetLog()
		front.DeclareReads("l2fib_add_del")
		front.FailWrite(1, false)
		answers, _, err := w.ask(&l2.L2fibAddDel{}, domain5(2))
		require.NoError(t, err)
		require.NotEqual(t, &l2.L2fibAddDelReply{Retval: -1}, answers[0])
		require.Equal(t, &l2.BridgeDomainAddDelV2Reply{Retval: -1, BdID: none}, answers[1])
		require.Equal(t, 1, front.Writes())
	})
}
