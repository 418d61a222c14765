// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

func TestValidate(t *testing.T) {
	group := vppnet.MAC{1, 0, 0x5e}
	rewrite := func(inner uint16, r vppnet.Rewrite) vppnet.SubInterface {
		return vppnet.SubInterface{Name: "s", Parent: "p", Outer: 1, Inner: inner, Rewrite: r}
	}
	for _, tc := range []struct {
		object desiredstate.Object
		err    string // "": valid
	}{
		{vppnet.Interface{Name: "x"}, "interfaces are made by kinds of their own"},

		{vppnet.BridgeDomain{Name: "net", ID: 1<<24 - 1, MACAge: 255 * time.Minute}, ""},
		{vppnet.BridgeDomain{}, "name is empty"},
		{vppnet.BridgeDomain{Name: "a b"}, `name "a b" contains ' ': want letters, digits or ._:@#-`},
		{vppnet.BridgeDomain{Name: "#7"}, `name "#7": # stands before a number`},
		{vppnet.BridgeDomain{Name: "net", ID: 1 << 24}, "ID 16777216, want at most 16777215"},
		{vppnet.BridgeDomain{Name: "net", MACAge: time.Second}, "MAC age 1s, want whole minutes from 0 to 255"},
		{vppnet.BridgeDomain{Name: "net", MACAge: 256 * time.Minute}, "MAC age 4h16m0s, want whole minutes from 0 to 255"},
		{vppnet.BridgeDomain{Name: "net", MACAge: -time.Minute}, "MAC age -1m0s, want whole minutes from 0 to 255"},

		{vppnet.BridgePort{Bridge: "vpp:7", Interface: uplink}, ""},
		{vppnet.BridgePort{Interface: "i"}, `bridge domain: name is empty`},
		{vppnet.BridgePort{Bridge: "b", Interface: "a\nb"}, `interface: name "a\nb" contains`},

		{vppnet.FIBEntry{Bridge: "b", MAC: vppnet.MAC{2}, Interface: "i"}, ""},
		{vppnet.FIBEntry{Bridge: "b", MAC: vppnet.MAC{2}, Filter: true}, ""},
		{vppnet.FIBEntry{MAC: vppnet.MAC{2}, Interface: "i"}, "bridge domain: name is empty"},
		{vppnet.FIBEntry{Bridge: "b", Interface: "i"}, "MAC is not set"},
		{vppnet.FIBEntry{Bridge: "b", MAC: group, Interface: "i"}, "MAC 01:00:5e:00:00:00 is a multicast address"},
		{vppnet.FIBEntry{Bridge: "b", MAC: vppnet.MAC{2}}, "interface: name is empty"},
		{vppnet.FIBEntry{Bridge: "b", MAC: vppnet.MAC{2}, Interface: "i", Filter: true}, "an entry that filters has no interface"},

		{vppnet.Loopback{Name: "lo", Instance: 16383}, ""},
		{vppnet.Loopback{Name: strings.Repeat("x", 62)}, "has 62 bytes, at most 61 fit VPP's tag"},
		{vppnet.Loopback{Name: "lo", Instance: 16384}, "instance 16384, want at most 16383"},
		{vppnet.Loopback{Name: "lo", MAC: group}, "MAC 01:00:5e:00:00:00 is a multicast address"},

		{vppnet.HostInterface{Name: "h", Device: "123456789012345"}, ""},
		{vppnet.HostInterface{Name: "h"}, `device "": want 1 to 15 printable characters`},
		{vppnet.HostInterface{Name: "h", Device: "1234567890123456"}, "want 1 to 15 printable characters"},
		{vppnet.HostInterface{Name: "h", Device: ".."}, "want 1 to 15 printable characters"},
		{vppnet.HostInterface{Name: "h", Device: "a/b"}, "want 1 to 15 printable characters"},
		{vppnet.HostInterface{Name: "h", Device: "a\x00b"}, "want 1 to 15 printable characters"},
		{vppnet.HostInterface{Name: "h", Device: "d", MAC: group}, "MAC 01:00:5e:00:00:00 is a multicast address"},
		{vppnet.HostInterface{Device: "d"}, "name is empty"},

		{rewrite(0, vppnet.Rewrite{}), ""},
		{rewrite(4094, vppnet.Rewrite{Op: vppnet.Translate22, Dot1ad: true, Tag1: 1, Tag2: 4094}), ""},
		{vppnet.SubInterface{Parent: "p", Outer: 1}, "name is empty"},
		{vppnet.SubInterface{Name: "s", Outer: 1}, "parent: name is empty"},
		{vppnet.SubInterface{Name: "s", Parent: "s", Outer: 1}, "sub-interface is its own parent"},
		{vppnet.SubInterface{Name: "s", Parent: "p"}, "outer VLAN 0, want 1 to 4094"},
		{vppnet.SubInterface{Name: "s", Parent: "p", Inner: 5}, "outer VLAN 0, want 1 to 4094"},
		{vppnet.SubInterface{Name: "s", Parent: "p", Outer: 4095}, "outer VLAN 4095, want 1 to 4094"},
		{rewrite(4095, vppnet.Rewrite{}), "inner VLAN 4095, want 1 to 4094, or 0 for none"},
		{rewrite(0, vppnet.Rewrite{Op: 9}), "rewrite: no such operation: RewriteOp(9)"},
		{rewrite(0, vppnet.Rewrite{Op: vppnet.Pop2}), "rewrite: pop-2 of frames with 1 tag"},
		{rewrite(0, vppnet.Rewrite{Op: vppnet.Push1}), "rewrite: push-1 with VLAN 0, want 1 to 4094"},
		{rewrite(0, vppnet.Rewrite{Op: vppnet.Push2, Tag1: 1, Tag2: 4095}), "rewrite: push-2 with VLAN 4095, want 1 to 4094"},
		{rewrite(0, vppnet.Rewrite{Op: vppnet.Push1, Tag1: 1, Tag2: 2}), `rewrite: "push-1" does not push VLAN 2`},
		{rewrite(0, vppnet.Rewrite{Tag1: 1}), `rewrite: "" does not push VLAN 1`},
		{rewrite(0, vppnet.Rewrite{Op: vppnet.Pop1, Dot1ad: true}), `rewrite: "pop-1" pushes no 802.1ad tag`},

		{vppnet.LinkState{Interface: uplink, Up: true}, ""},
		{vppnet.LinkState{Interface: "s", Parent: "p", MTU: 68}, ""},
		{vppnet.LinkState{Up: true}, "interface: name is empty"},
		{vppnet.LinkState{Interface: "i", Parent: "a b", Up: true}, `parent: name "a b" contains`},
		{vppnet.LinkState{Interface: "i", Parent: "i", Up: true}, "interface is its own parent"},
		{vppnet.LinkState{Interface: "i", MAC: vppnet.MAC{2}}, "neither up nor an MTU: that is no LinkState at all"},
		{vppnet.LinkState{Interface: "i", MTU: 67}, "MTU 67, want 68 to 65535 bytes"},
		{vppnet.LinkState{Interface: "i", MTU: 65536}, "MTU 65536, want 68 to 65535 bytes"},
		{vppnet.LinkState{Interface: "i", Up: true, MAC: group}, "MAC 01:00:5e:00:00:00 is a multicast address"},
		{vppnet.LinkState{Interface: "i", Parent: "p", Up: true, MAC: vppnet.MAC{2}}, "a sub-interface has its parent's MAC"},
	} {
		err := tc.object.Validate()
		if tc.err == "" {
			require.NoError(t, err, "%+v", tc.object)
		} else {
			require.ErrorContains(t, err, tc.err, "%+v", tc.object)
		}
	}
}

func TestSpecsFromJSON(t *testing.T) {
	e := layer2(nil) // kinds decode without a connection
	o, err := e.Decode("sub-interface", []byte(`{"Name":"s","Parent":"p","Outer":5,"Rewrite":{"Op":"translate-1-1","Tag1":7}}`))
	require.NoError(t, err)
	require.Equal(t, vppnet.SubInterface{Name: "s", Parent: "p", Outer: 5, Rewrite: vppnet.Rewrite{Op: vppnet.Translate11, Tag1: 7}}, o)
	o, err = e.Decode("l2-fib", []byte(`{"bridge":"b","mac":"02-00-00-00-00-0A","interface":"i"}`))
	require.NoError(t, err)
	require.Equal(t, vppnet.FIBEntry{Bridge: "b", MAC: vppnet.MAC{2, 0, 0, 0, 0, 10}, Interface: "i"}, o)
	text, err := json.Marshal(o)
	require.NoError(t, err)
	require.JSONEq(t, `{"Bridge":"b","MAC":"02:00:00:00:00:0a","Interface":"i","Filter":false}`, string(text))

	_, err = e.Decode("sub-interface", []byte(`{"Rewrite":{"Op":"pop-3"}}`))
	require.ErrorContains(t, err, `no such tag rewrite: "pop-3"`)
	_, err = e.Decode("loopback", []byte(`{"MAC":"02:00:00:00:00:00:00:00"}`))
	require.ErrorContains(t, err, "want six bytes")
}

func FuzzMAC(f *testing.F) {
	for _, s := range []string{"", "02:00:5e:10:00:01", "02-00-5E-10-00-01", "0200.5e10.0001", "02:00:5e:10:00:01:02:03", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := vppnet.ParseMAC(s)
		if err != nil {
			require.Zero(t, m)
			return
		}
		text, err := m.MarshalText()
		require.NoError(t, err)
		var again vppnet.MAC
		require.NoError(t, again.UnmarshalText(text))
		require.Equal(t, m, again)
		require.Len(t, m.String(), 17)
	})
}

func FuzzRewriteOp(f *testing.F) {
	for _, s := range []string{"", "pop-1", "translate-2-2", "RewriteOp(9)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var op vppnet.RewriteOp
		if op.UnmarshalText([]byte(s)) == nil {
			require.Equal(t, s, op.String())
		}
	})
}

// A name that passes is one that Linux takes and that VPP's field holds.
func FuzzHostDevice(f *testing.F) {
	for _, s := range []string{"eth0", "", ".", "..", "a/b", "a b", "ä", "a\x00", "1234567890123456"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if (vppnet.HostInterface{Name: "h", Device: s}).Validate() == nil {
			require.LessOrEqual(t, len(s), 15)
			require.False(t, s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/: \t\n\x00"))
		}
	})
}
