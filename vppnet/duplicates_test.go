// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/l2"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Two processes of one owner that race make things twice. However many things have
// which tag of ours, and whatever hangs on them, Run comes to what is wanted, and leaves
// nothing else.
func TestDuplicatesConverge(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			vpp, err := vpptest.Start()
			require.NoError(rt, err)
			defer func() { _ = vpp.Close() }()
			before := vpp.String()
			duplicates(t, rt, vpp.Socket())
			require.Equal(rt, before, vpp.String(), "all is as it was")
		})
	})
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.Real(t)
		rapid.Check(t, func(rt *rapid.T) { duplicates(t, rt, vpp.Socket()) })
	})
}

func duplicates(t *testing.T, rt *rapid.T, socket string) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := vppnet.Dial(ctx, socket, "me")
	require.NoError(rt, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.SwInterfaceTagAddDel{}, &interfaces.CreateLoopback{}, &l2.BridgeDomainAddDelV2{}, &l2.SwInterfaceSetL2Bridge{})
	bridges := l2.NewServiceClient(c)

	// What races left.
	name := rapid.SampledFrom([]string{"a", "b"})
	var domains []uint32
	for _, id := range rapid.SliceOfNDistinct(rapid.Uint32Range(1, 9), 0, 4, rapid.ID[uint32]).Draw(rt, "bridge domains") {
		_, err = bridges.BridgeDomainAddDelV2(ctx, &l2.BridgeDomainAddDelV2{
			IsAdd: true, BdID: id, Learn: true, Flood: true, UuFlood: true, Forward: true, BdTag: "me/" + name.Draw(rt, "tag"),
		})
		require.NoError(rt, err)
		domains = append(domains, id)
	}
	bvi := map[uint32]bool{}
	for range rapid.IntRange(0, 4).Draw(rt, "interfaces") {
		loop, err := interfaces.NewServiceClient(c).CreateLoopback(ctx, &interfaces.CreateLoopback{})
		require.NoError(rt, err)
		_, err = interfaces.NewServiceClient(c).SwInterfaceTagAddDel(ctx, &interfaces.SwInterfaceTagAddDel{
			IsAdd: true, SwIfIndex: loop.SwIfIndex, Tag: "me/" + name.Draw(rt, "tag"),
		})
		require.NoError(rt, err)
		if len(domains) > 0 && rapid.Bool().Draw(rt, "in a bridge domain") {
			d := rapid.SampledFrom(domains).Draw(rt, "which")
			req := &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: loop.SwIfIndex, BdID: d, Enable: true}
			if !bvi[d] && rapid.Bool().Draw(rt, "BVI") {
				bvi[d], req.PortType = true, l2.L2_API_PORT_TYPE_BVI
			}
			_, err = bridges.SwInterfaceSetL2Bridge(ctx, req)
			require.NoError(rt, err)
		}
	}

	// What is wanted.
	want := map[desiredstate.Key]desiredstate.Object{}
	add := func(o desiredstate.Object) { want[o.Key()] = o }
	for _, n := range []string{"a", "b"} {
		if rapid.Bool().Draw(rt, "bridge domain wanted") {
			add(vppnet.BridgeDomain{Name: n})
		}
	}
	hasBVI := map[string]bool{}
	for _, n := range []string{"a", "b"} {
		if !rapid.Bool().Draw(rt, "interface wanted") {
			continue
		}
		add(vppnet.Loopback{Name: n})
		p := vppnet.BridgePort{Interface: n, Bridge: name.Draw(rt, "of")}
		if want[vppnet.BridgeKey(p.Bridge)] != nil {
			p.BVI = !hasBVI[p.Bridge] && rapid.Bool().Draw(rt, "as BVI")
			hasBVI[p.Bridge] = p.BVI
			add(p)
		}
	}
	store := desiredstate.NewStore()
	for _, o := range want {
		require.NoError(rt, store.Put(o))
	}
	store.Complete()
	run := func() {
		e := layer2(c)
		ctx, stop := context.WithCancel(ctx)
		ran := make(chan error, 1)
		go func() { ran <- e.Run(ctx, store, time.Hour) }()
		err := store.Wait(ctx)
		stop()
		<-ran
		require.NoError(rt, err)
	}
	run()
	all, err := layer2(c).Found(ctx)
	require.NoError(rt, err)
	for _, f := range all {
		if !f.Foreign {
			require.Contains(rt, want, f.Key)
		}
	}
	for k := range want {
		store.Delete(k)
	}
	run() // all of it goes
}
