// SPDX-License-Identifier: Apache-2.0

//go:build linux

package lldp_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/kinds/lldp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// VPP says nothing by what has its link up, and is itself down, nor when that comes up later. In which order the two
// come does not matter.
func TestPortWaitsUntilItsDeviceIsUp(t *testing.T) {
	onWire(t, func(t *testing.T, e *desiredstate.Engine, speaks func() bool) {
		device, up := vppnet.HostInterface{Name: "eth", Device: "wire"}, vppnet.LinkState{Interface: "eth", Up: true}
		often, port := lldp.Settings{Interval: time.Second}, lldp.Port{Interface: "eth"}
		_, err := e.Ensure(t.Context(), device, often, port)
		require.ErrorIs(t, err, desiredstate.ErrEarly)
		require.ErrorContains(t, err, "interface eth is down")
		for range 3 {
			_, err = e.Sync(t.Context(), device, often, port, up)
			require.NoError(t, err)
			require.True(t, speaks())
			_, err = e.Sync(t.Context(), often)
			require.NoError(t, err)
		}
	})
}

// VPP tells nobody any more who it is once a sub-interface of the device goes down. The plan that takes one away has it
// speak again, whatever else of the device's changes.
func TestPortSpeaksWhenASubInterfaceHasGone(t *testing.T) {
	onWire(t, func(t *testing.T, e *desiredstate.Engine, speaks func() bool) {
		device := []desiredstate.Object{
			vppnet.HostInterface{Name: "eth", Device: "wire"},
			vppnet.LinkState{Interface: "eth", Up: true},
			lldp.Settings{Interval: time.Second},
			lldp.Port{Interface: "eth"},
		}
		sub := func(vlan uint16, parent string) []desiredstate.Object {
			name := fmt.Sprintf("eth.%d", vlan)
			return []desiredstate.Object{vppnet.SubInterface{Name: name, Parent: "eth", Outer: vlan}, vppnet.LinkState{Interface: name, Parent: parent, Up: true}}
		}
		sync := func(want ...desiredstate.Object) {
			t.Helper()
			_, err := e.Sync(t.Context(), append(device, want...)...)
			require.NoError(t, err)
			require.True(t, speaks())
			p, err := e.Plan(t.Context(), append(device, want...)...)
			require.NoError(t, err)
			require.True(t, p.Empty(), p.String())
		}
		sync()
		sync(sub(100, "eth")...)
		sync()
		sync(sub(100, "")...)
		sync()
		sync(append(sub(100, "eth"), sub(200, "eth")...)...)
		device[3] = lldp.Port{Interface: "eth", Description: "said anew"}
		sync(sub(200, "eth")...)
		sync(vppnet.SubInterface{Name: "eth.200", Parent: "eth", Outer: 201}, vppnet.LinkState{Interface: "eth.200", Parent: "eth", Up: true})
		sync(vppnet.SubInterface{Name: "eth.200", Parent: "eth", Outer: 201})

		_, err := e.Ensure(t.Context(), sub(100, "eth")...)
		require.NoError(t, err)
		_, err = e.Remove(t.Context(), vppnet.LinkKey("eth.100"), vppnet.InterfaceKey("eth.100"))
		require.NoError(t, err)
		require.True(t, speaks())
	})
}

// So does the plan that takes one down, and leaves it.
func TestPortSpeaksWhenASubInterfaceIsDown(t *testing.T) {
	onWire(t, func(t *testing.T, e *desiredstate.Engine, speaks func() bool) {
		want := []desiredstate.Object{
			vppnet.HostInterface{Name: "eth", Device: "wire"},
			vppnet.LinkState{Interface: "eth", Up: true},
			lldp.Settings{Interval: time.Second},
			lldp.Port{Interface: "eth"},
			vppnet.SubInterface{Name: "eth.100", Parent: "eth", Outer: 100},
		}
		for _, parent := range []string{"eth", ""} {
			for _, up := range []bool{true, false} {
				all := append(want[:len(want):len(want)], vppnet.LinkState{Interface: "eth.100", Parent: parent, MTU: 1400, Up: up})
				_, err := e.Sync(t.Context(), all...)
				require.NoError(t, err)
				require.True(t, speaks(), up)
				p, err := e.Plan(t.Context(), all...)
				require.NoError(t, err)
				require.True(t, p.Empty(), p.String())
			}
		}
	})
}

// onWire runs a test on both VPPs, which have a device of Linux, and says whether VPP speaks by it.
func onWire(t *testing.T, test func(t *testing.T, e *desiredstate.Engine, speaks func() bool)) {
	engine := func(t *testing.T, socket string) *desiredstate.Engine {
		c := kindrig.Dial(t, socket, "me")
		var memory vppnet.Memory
		return kindrig.Engine(vppnet.HostInterfaces(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c), lldp.Ports(c, &memory), lldp.AllSettings(c, &memory))
	}
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t, vpptest.WithHostDevice("wire"))
		test(t, engine(t, vpp.Socket()), func() bool {
			return strings.Contains(vpp.String(), "LLDP of device 1") && !strings.Contains(vpp.String(), "silent")
		})
	})
	t.Run("real", func(t *testing.T) {
		ns, neighbour := netrig.New(t, "lldp"), netrig.New(t, "neighbour")
		netrig.Veth(t, ns, "wire", neighbour, "wire")
		heard := neighbour.Capture(t, "wire", saysWhoItIs)
		vpp := vpptest.Real(t, vpptest.InNetNS(string(ns)))
		test(t, engine(t, vpp.Socket()), func() bool {
			before := len(heard.Frames())
			for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if len(heard.Frames())-before > 1 { // the first may have been under way
					return true
				}
			}
			return false
		})
	})
}

// saysWhoItIs says whether a frame is LLDP, and no goodbye, which has no time to live.
func saysWhoItIs(frame []byte) bool {
	if string(frame[12:14]) != "\x88\xcc" {
		return false
	}
	for at := 14; at+4 <= len(frame); {
		head := binary.BigEndian.Uint16(frame[at:])
		if head>>9 == 3 {
			return binary.BigEndian.Uint16(frame[at+2:]) > 0
		}
		at += 2 + int(head&0x1ff)
	}
	return false
}
