// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// promiscuous is a kind that VPP cannot be asked for: sw_interface_set_promisc.
type promiscuous struct{ Interface string }

func (p promiscuous) Key() desiredstate.Key {
	return desiredstate.Key{Space: "promiscuous", Name: p.Interface}
}

func (p promiscuous) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(p.Interface)}
}
func (p promiscuous) Validate() error { return vppnet.CheckRef("interface", p.Interface) }

func promiscuouses(c *vppnet.Conn, m *vppnet.Memory) *desiredstate.Kind[promiscuous] {
	vpp := interfaces.NewServiceClient(c)
	set := func(ctx context.Context, id uint32, on bool) error {
		_, err := vpp.SwInterfaceSetPromisc(ctx, &interfaces.SwInterfaceSetPromisc{SwIfIndex: interface_types.InterfaceIndex(id), PromiscOn: on})
		return err
	}
	return vppnet.Remembered(c, m, &desiredstate.Kind[promiscuous]{
		Name:     "promiscuous",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c)},
		Messages: c.Uses(&interfaces.SwInterfaceSetPromisc{}),
		Create: func(ctx context.Context, v *desiredstate.View, p promiscuous) (uint32, error) {
			id, err := v.ID(vppnet.InterfaceKey(p.Interface))
			if err != nil {
				return 0, err
			}
			return id, set(ctx, id, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[promiscuous]) error {
			return vppnet.Gone(set(ctx, have.ID, false), api.INVALID_SW_IF_INDEX)
		},
	})
}

// curious teaches a VPP in memory the message, and says which interfaces listen to all.
func curious(v *vpptest.VPP) (state func() string) {
	on := map[uint32]bool{}
	vpptest.Handle(v, func(c *vpptest.Call, q *interfaces.SwInterfaceSetPromisc) *interfaces.SwInterfaceSetPromiscReply {
		r := new(interfaces.SwInterfaceSetPromiscReply)
		if _, ok := c.Interface(uint32(q.SwIfIndex)); !ok {
			r.Retval = int32(api.INVALID_SW_IF_INDEX)
			return r
		}
		if delete(on, uint32(q.SwIfIndex)); q.PromiscOn {
			on[uint32(q.SwIfIndex)] = true
		}
		return r
	})
	return func() (out string) {
		v.Do(func() { out = fmt.Sprint(on) })
		return out
	}
}

// flowHash is another one, of the default table: set_ip_flow_hash_v3.
type flowHash struct {
	IPv6      bool
	Symmetric bool
}

func (f flowHash) Key() desiredstate.Key {
	return desiredstate.Key{Space: "flow-hash", Name: map[bool]string{false: "ipv4", true: "ipv6"}[f.IPv6]}
}
func (f flowHash) Deps() []desiredstate.Key { return nil }
func (f flowHash) Validate() error          { return nil }

func flowHashes(c *vppnet.Conn, m *vppnet.Memory) *desiredstate.Kind[flowHash] {
	set := func(ctx context.Context, f flowHash, config ip.IPFlowHashConfigV2) error {
		q := &ip.SetIPFlowHashV3{FlowHashConfig: config}
		if f.IPv6 {
			q.Af = ip_types.ADDRESS_IP6
		}
		_, err := ip.NewServiceClient(c).SetIPFlowHashV3(ctx, q)
		return err
	}
	const normal = ip.IP_API_V2_FLOW_HASH_SRC_IP | ip.IP_API_V2_FLOW_HASH_DST_IP | ip.IP_API_V2_FLOW_HASH_SRC_PORT | ip.IP_API_V2_FLOW_HASH_DST_PORT | ip.IP_API_V2_FLOW_HASH_PROTO
	of := func(f flowHash) ip.IPFlowHashConfigV2 {
		if f.Symmetric {
			return normal | ip.IP_API_V2_FLOW_HASH_SYMETRIC
		}
		return normal | ip.IP_API_V2_FLOW_HASH_REVERSE
	}
	return vppnet.Remembered(c, m, &desiredstate.Kind[flowHash]{
		Name:     "flow-hash",
		Messages: c.Uses(&ip.SetIPFlowHashV3{}),
		Create: func(ctx context.Context, _ *desiredstate.View, f flowHash) (uint32, error) {
			return 0, set(ctx, f, of(f))
		},
		Update: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[flowHash], want flowHash) error {
			return set(ctx, want, of(want))
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[flowHash]) error {
			return set(ctx, have.Spec, normal)
		},
	})
}

func TestLawsOfRemembered(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t)
		state, m := curious(vpp), new(vppnet.Memory)
		kindtest.Run(t, kindtest.Suite[promiscuous]{
			Gen: rapid.Custom(func(t *rapid.T) promiscuous {
				return promiscuous{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "interface")}
			}),
			Open: func(t testing.TB) kindtest.World[promiscuous] {
				c := dialVPP(t, vpp.Socket(), vppnet.WithLostAfter(20*time.Millisecond))
				return kindtest.World[promiscuous]{
					Kind: promiscuouses(c, m), More: []desiredstate.AnyKind{vppnet.Loopbacks(c)},
					Base:  []desiredstate.Object{vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"}},
					State: func() string { return vpp.String() + state() }, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal,
				}
			},
		})
	})
	t.Run("real", func(t *testing.T) {
		vpp, m := vpptest.NewProxy(t, vpptest.Real(t).Socket()), new(vppnet.Memory)
		kindtest.Run(t, kindtest.Suite[flowHash]{
			Gen: rapid.Custom(func(t *rapid.T) flowHash {
				return flowHash{rapid.Bool().Draw(t, "IPv6"), rapid.Bool().Draw(t, "symmetric")}
			}),
			Open: func(t testing.TB) kindtest.World[flowHash] {
				c := dialVPP(t, vpp.Socket(), vppnet.WithLostAfter(20*time.Millisecond))
				return kindtest.World[flowHash]{
					Kind: flowHashes(c, m), State: func() string { return vpp.State(&ip.IPTableDump{}) },
					Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal,
				}
			},
		})
	})
}

// What VPP cannot be asked for is told it once in its life, and again when the interface is
// another one, or the VPP.
func TestRememberedIsToldOnceInTheLifeOfAVPP(t *testing.T) {
	vpp := vpptest.New(t)
	curious(vpp)
	m := new(vppnet.Memory)
	want := []desiredstate.Object{vppnet.Loopback{Name: "lan"}, promiscuous{"lan"}}
	told := func(how string, again int) {
		t.Helper()
		vpp.ResetLog()
		c := dialVPP(t, vpp.Socket())
		e := desiredstate.New(vppnet.Loopbacks(c), promiscuouses(c, m))
		_, err := e.Ensure(t.Context(), want...)
		require.NoError(t, err)
		n := 0
		for _, name := range vpp.Sent() {
			if name == "sw_interface_set_promisc" {
				n++
			}
		}
		require.Equal(t, again, n, how)
		p, err := e.PlanEnsure(t.Context(), want...)
		require.NoError(t, err)
		require.Equal(t, "2 as wanted\n", p.String())
		p, err = e.PlanRemove(t.Context(), want[1].Key())
		require.NoError(t, err)
		require.Equal(t, "- promiscuous/lan, unverified\n1 to delete\n", p.String())
		text, err := json.Marshal(p)
		require.NoError(t, err)
		require.Contains(t, string(text), `"unverified":true`)
		found, err := e.Found(t.Context())
		require.NoError(t, err)
		at := slices.IndexFunc(found, func(f desiredstate.Found) bool { return f.Key == want[1].Key() })
		require.True(t, found[at].Unverified)
	}
	told("first", 1)
	told("by another connection", 0)
	other := dialVPP(t, vpp.Socket())
	_, err := vppnet.Loopbacks(other).Remove(t.Context(), want[0].(vppnet.Loopback))
	require.NoError(t, err)
	_, err = vppnet.Loopbacks(other).Ensure(t.Context(), vppnet.Loopback{Name: "first"})
	require.NoError(t, err)
	told("on another interface", 1)
	require.NoError(t, vpp.Restart())
	curious(vpp)
	told("by another VPP", 1)
}

func TestRememberedHasAStatus(t *testing.T) {
	vpp := vpptest.New(t)
	curious(vpp)
	c := dialVPP(t, vpp.Socket())
	e, s := desiredstate.New(vppnet.Loopbacks(c), promiscuouses(c, new(vppnet.Memory))), desiredstate.NewStore()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, s, 0) }()
	require.NoError(t, s.Put(vppnet.Loopback{Name: "lan"}, promiscuous{"lan"}))
	require.NoError(t, s.Wait(ctx, promiscuous{"lan"}.Key(), vppnet.InterfaceKey("lan")))
	st, _ := s.Status(promiscuous{"lan"}.Key())
	require.True(t, st.Unverified)
	text, err := json.Marshal(st)
	require.NoError(t, err)
	require.True(t, strings.Contains(string(text), `"unverified":true`), "%s", text)
	st, _ = s.Status(vppnet.InterfaceKey("lan"))
	require.False(t, st.Unverified)
	cancel()
	<-done
}

// What VPP is told while a reading is under way, which does not know the interface yet, is remembered.
func TestRememberedBesideAReading(t *testing.T) {
	vpp := vpptest.New(t)
	curious(vpp)
	c := dialVPP(t, vpp.Socket())
	kind := promiscuouses(c, new(vppnet.Memory))
	dump, dumps, reached, goOn := kind.Dump, atomic.Int32{}, make(chan struct{}), make(chan struct{})
	kind.Dump = func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[promiscuous], error) {
		if dumps.Add(1) == 2 { // the second look; it has seen all interfaces that there are
			close(reached)
			<-goOn
		}
		return dump(ctx, v)
	}
	e, s := desiredstate.New(vppnet.Loopbacks(c), kind), desiredstate.NewStore()
	e.Observe = func(ev desiredstate.Event) {
		if ev.Type == desiredstate.Drift {
			t.Error("lost:", ev.Key)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, s, 5*time.Millisecond) }()
	<-reached
	require.NoError(t, s.Put(vppnet.Loopback{Name: "lan"}, promiscuous{"lan"}))
	require.NoError(t, s.Wait(ctx, promiscuous{"lan"}.Key()))
	close(goOn)
	require.Eventually(t, func() bool { return dumps.Load() >= 5 }, 10*time.Second, time.Millisecond)
	cancel()
	<-done
	told := 0
	for _, name := range vpp.Sent() {
		if name == "sw_interface_set_promisc" {
			told++
		}
	}
	require.Equal(t, 1, told)
}
