// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vppnet_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/tracedump"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What enters by an interface is seen, with what became of it, and what enters by another
// one of the same sort is not; and nothing is traced afterwards.
func TestCaptureRealPackets(t *testing.T) {
	l := newCaptureLab(t)
	a, b, c, e := l.a, l.b, l.c, l.e
	capture := func(o vppnet.CaptureOptions, f func()) []vppnet.CapturedPacket {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan []vppnet.CapturedPacket)
		go func() {
			all, err := vppnet.Capture(ctx, c, o)
			if err != nil {
				t.Error(err)
			}
			done <- all
		}()
		time.Sleep(300 * time.Millisecond)
		f()
		time.Sleep(300 * time.Millisecond)
		cancel()
		return <-done
	}
	is := func(packets []vppnet.CapturedPacket, words ...string) (n int) {
		for _, p := range packets {
			has := true
			for _, w := range words {
				has = has && strings.Contains(p.String(), w)
			}
			if has {
				n++
			}
		}
		return n
	}
	all := capture(vppnet.CaptureOptions{Interfaces: []string{"a"}}, func() { a.Reaches(t, "10.78.0.2") })
	require.Positive(t, is(all, "in by a", "ICMP echo_request", "10.78.0.1 -> 10.78.0.2"), "%v", all)
	require.Zero(t, is(all, "ICMP echo_reply", "10.78.0.2 -> 10.78.0.1"), "they enter by b: %v", all)
	all = capture(vppnet.CaptureOptions{Interfaces: []string{"b", "a"}}, func() { a.Reaches(t, "10.78.0.2") })
	require.Positive(t, is(all, "in by b", "ICMP echo_reply"))
	require.Positive(t, is(all, "in by a", "ICMP echo_request"))

	_, err := e.Remove(t.Context(), vppnet.BridgePortKey("b"))
	require.NoError(t, err)
	all = capture(vppnet.CaptureOptions{Interfaces: []string{"b"}, Packets: 1}, func() { b.Misses(t, "10.78.0.1") })
	require.Len(t, all, 1)
	require.NotEmpty(t, all[0].Dropped, "%v", all[0])
	require.NotEmpty(t, all[0].DroppedAt)

	b.Misses(t, "10.78.0.1")
	require.Empty(t, l.traced(t), "it is switched off")

	_, err = vppnet.Capture(t.Context(), c, vppnet.CaptureOptions{Interfaces: []string{"lo"}})
	require.ErrorIs(t, err, desiredstate.ErrInvalid)
	_, err = vppnet.Capture(t.Context(), c, vppnet.CaptureOptions{Interfaces: []string{"none"}})
	require.ErrorIs(t, err, desiredstate.ErrMissing)
}

// Of a capture whose process was killed VPP goes on with what it was asked for, and no further
// than that; the next capture has nothing of it, and leaves nothing.
func TestCaptureOfTheKilled(t *testing.T) {
	l := newCaptureLab(t)
	between := vpptest.NewProxy(t, l.socket)
	killed := dialVPP(t, between.Socket())
	ended := make(chan error)
	go func() {
		_, err := vppnet.Capture(t.Context(), killed, vppnet.CaptureOptions{Interfaces: []string{"a"}})
		ended <- err
	}()
	time.Sleep(300 * time.Millisecond)
	between.Cut()
	require.Error(t, <-ended)
	l.a.Reaches(t, "10.78.0.2")
	require.NotEmpty(t, l.traced(t), "nobody could tell VPP to stop")

	all, err := vppnet.Capture(t.Context(), l.c, vppnet.CaptureOptions{Interfaces: []string{"a"}, Time: 200 * time.Millisecond})
	require.NoError(t, err)
	for _, p := range all {
		require.NotContains(t, p.String(), "ICMP echo", "of the time before")
	}
	l.a.Reaches(t, "10.78.0.2")
	require.Empty(t, l.traced(t))
}

// captureLab is a real VPP with two hosts in a bridge domain.
type captureLab struct {
	a, b   netrig.NetNS
	socket string
	c      *vppnet.Conn
	e      *desiredstate.Engine
}

func newCaptureLab(t *testing.T) captureLab {
	t.Helper()
	router := netrig.New(t, "vpp")
	a := netrig.Host(t, "a", router, "to-a", "10.78.0.1/24")
	b := netrig.Host(t, "b", router, "to-b", "10.78.0.2/24")
	vpp := vpptest.Real(t, vpptest.InNetNS(string(router)))
	c := dialVPP(t, vpp.Socket())
	e := layer2(c)
	_, err := e.Ensure(t.Context(),
		vppnet.BridgeDomain{Name: "net"}, vppnet.Loopback{Name: "lo"}, vppnet.SubInterface{Name: "early", Parent: "lo", Outer: 7},
		vppnet.HostInterface{Name: "a", Device: "to-a"}, vppnet.HostInterface{Name: "b", Device: "to-b"})
	require.NoError(t, err) // so that VPP's numbers of devices and interfaces differ
	_, err = e.Ensure(t.Context(),
		vppnet.LinkState{Interface: "a", Up: true}, vppnet.LinkState{Interface: "b", Up: true},
		vppnet.BridgePort{Bridge: "net", Interface: "a"}, vppnet.BridgePort{Bridge: "net", Interface: "b"})
	require.NoError(t, err)
	a.Reaches(t, "10.78.0.2")
	return captureLab{a, b, vpp.Socket(), c, e}
}

// traced is what VPP has recorded, and not handed over.
func (l captureLab) traced(t *testing.T) []*tracedump.TraceV2Details {
	t.Helper()
	l.c.Uses(&tracedump.TraceV2Dump{})
	left, err := vppnet.Collect(tracedump.NewServiceClient(l.c).TraceV2Dump(t.Context(), &tracedump.TraceV2Dump{ThreadID: ^uint32(0), Max: 10, ClearCache: true}))
	require.NoError(t, err)
	return left
}
