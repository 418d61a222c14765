// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/l2"
)

// against is a fuzzer of the in-memory VPP and one that was changed.
func against(t *testing.T, change func(*VPP)) *fuzzer {
	return newFuzzer(kindMessages(t), func() (*pair, func(), error) {
		other, err := Start(WithDirectory("/d"), WithPlugin("other", change))
		if err != nil {
			return nil, nil, err
		}
		guard(other, func(any) {})
		p, err := newPair(other.Socket(), "/d")
		return p, func() { p.close(); _ = other.Close() }, err
	}, 300)
}

// A VPP does not differ from itself, but at random.
func TestDiffOfTheSame(t *testing.T) {
	f := against(t, func(*VPP) {})
	for seed := range uint64(20) {
		require.NoError(t, f.one(seed))
	}
	require.Empty(t, f.found, f.report(1))
	require.Greater(t, f.replies, 1000)
}

// What differs is found, and made small: here by who takes two more requests to show it.
func TestDiffFindsAndShrinks(t *testing.T) {
	f := against(t, func(v *VPP) {
		Handle(v, func(c *Call, q *l2.BridgeFlags) *l2.BridgeFlagsReply {
			b := c.VPP.life.bridges.domains[q.BdID]
			if _, there := c.Interface(1); b == nil || q.BdID == 0 || !there {
				return v.life.bridges.setFlags(c, q)
			}
			return &l2.BridgeFlagsReply{Retval: -99}
		})
	})
	for seed := uint64(0); len(f.found) == 0 && seed < 100; seed++ {
		require.NoError(t, f.one(seed))
	}
	require.Len(t, f.found, 1)
	for _, x := range f.found {
		require.Contains(t, x.group, "bridge_flags|retval real -99, fake ")
		require.Len(t, x.sequence, 3, "%v", x.sequence)
		last := x.sequence[len(x.sequence)-1]
		require.Equal(t, "bridge_flags", last.GetMessageName())
	}
}

// Who dies is found one by one.
func TestDiffFindsADeath(t *testing.T) {
	var other *VPP
	f := against(t, func(v *VPP) { other = v })
	fresh := f.fresh
	f.fresh = func() (*pair, func(), error) {
		p, end, err := fresh()
		if err == nil {
			other.Inject(Fault{Message: "delete_loopback", Kind: CutBefore})
		}
		return p, end, err
	}
	d, err := f.try([]api.Message{
		&interfaces_api.CreateLoopback{MacAddress: macs[1]}, &interfaces_api.DeleteLoopback{SwIfIndex: 1}, &interfaces_api.SwInterfaceDump{},
	}, &figures{})
	require.NoError(t, err)
	require.Equal(t, 1, d.at)
	require.Equal(t, "delete_loopback|"+deathShape, d.group)
}

// Who dies a while after a request did not die of the next one.
func TestDiffTellsDeathsOfNoRequest(t *testing.T) {
	for _, dies := range []bool{true, false} {
		var other *VPP
		f := against(t, func(v *VPP) {
			other = v
			Handle(v, func(c *Call, q *interfaces_api.CreateLoopback) *interfaces_api.CreateLoopbackReply {
				if dies {
					time.AfterFunc(20*time.Millisecond, other.Kill)
				}
				return v.life.interfaces.createLoopback(c, q)
			})
		})
		p, end, err := f.fresh()
		require.NoError(t, err)
		patience := 300 * time.Millisecond
		if dies {
			patience = 10 * time.Second // which it does not take
		}
		ended, err := p.ends([]api.Message{&interfaces_api.CreateLoopback{MacAddress: macs[1]}}, patience)
		require.NoError(t, err)
		require.Equal(t, dies, ended)
		end()
	}
}

// Events are compared too.
func TestDiffOfEvents(t *testing.T) {
	f := against(t, func(v *VPP) {
		Handle(v, func(*Call, *interfaces_api.WantInterfaceEvents) *interfaces_api.WantInterfaceEventsReply {
			return &interfaces_api.WantInterfaceEventsReply{}
		})
	})
	d, err := f.try([]api.Message{
		&interfaces_api.WantInterfaceEvents{EnableDisable: 1}, &interfaces_api.SwInterfaceDump{SwIfIndex: none},
		&interfaces_api.CreateLoopback{MacAddress: macs[1]},
	}, &f.figures)
	require.NoError(t, err)
	require.NotNil(t, d)
	require.Equal(t, "event of create_loopback|only fake sw_interface_event", d.group)
}
