// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

func TestValidate(t *testing.T) {
	long := strings.Repeat("x", 200)
	bridge := ovs.Bridge{Name: "br0", Datapath: ovs.Netdev}
	require.NoError(t, bridge.Validate())
	require.NoError(t, ovs.Bridge{Name: "a-name-of-more-than-15", OVSName: "br0"}.Validate())
	for what, spoil := range map[string]func(*ovs.Bridge){
		"no name":        func(b *ovs.Bridge) { b.Name = "" },
		"long":           func(b *ovs.Bridge) { b.Name, b.OVSName = long, "br0" },
		"no room":        func(b *ovs.Bridge) { b.Name = "a-name-of-more-than-15" },
		"slash":          func(b *ovs.Bridge) { b.Name = "a/b" },
		"foreign":        func(b *ovs.Bridge) { b.Name = "ovs:br0" },
		"surplus":        func(b *ovs.Bridge) { b.Name = "a~b" },
		"space":          func(b *ovs.Bridge) { b.OVSName = "a b" },
		"colon":          func(b *ovs.Bridge) { b.OVSName = "a:b" },
		"file":           func(b *ovs.Bridge) { b.OVSName = ".." },
		"other datapath": func(b *ovs.Bridge) { b.Datapath = "dummy" },
	} {
		bad := bridge
		spoil(&bad)
		require.Error(t, bad.Validate(), what)
	}
	port := ovs.Port{Name: "p", Bridge: "br0", Type: ovs.VhostUserClient, Socket: "/run/vms/p", VLAN: 4094}
	require.NoError(t, port.Validate())
	for what, spoil := range map[string]func(*ovs.Port){
		"no name":         func(p *ovs.Port) { p.Name = "" },
		"no bridge":       func(p *ovs.Port) { p.Bridge = "" },
		"nobody's bridge": func(p *ovs.Port) { p.Bridge = "ovs:" },
		"odd bridge":      func(p *ovs.Port) { p.Bridge = "a/b/c" },
		"long bridge":     func(p *ovs.Port) { p.Bridge = "ovs:" + long },
		"type":            func(p *ovs.Port) { p.Type = "gre" },
		"VLAN":            func(p *ovs.Port) { p.VLAN = 4095 },
		"no socket":       func(p *ovs.Port) { p.Socket = "" },
		"up":              func(p *ovs.Port) { p.Socket = "/run/vms/../p" },
		"relative":        func(p *ovs.Port) { p.Socket = "p" },
		"a socket of OVS": func(p *ovs.Port) { p.Type = ovs.VhostUser },
		"long device":     func(p *ovs.Port) { p.Type, p.Socket, p.OVSName = ovs.Internal, "", "a-name-of-more-than-15" },
		"long socket":     func(p *ovs.Port) { p.Type, p.Socket, p.OVSName = ovs.VhostUser, "", long[:65] },
		"up, by name":     func(p *ovs.Port) { p.Type, p.Socket, p.OVSName = ovs.VhostUser, "", "../p" },
	} {
		bad := port
		spoil(&bad)
		require.Error(t, bad.Validate(), what)
	}
}

// What ovs-vswitchd cannot make is an error, and not there.
func TestRefusedBySwitch(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		e := engine(o, dial(t, o, "me"))
		_, err := e.Ensure(t.Context(), bridge("br0"))
		require.NoError(t, err)
		before := o.String()
		_, err = e.Ensure(t.Context(), ovs.Port{Name: "nodevice", Bridge: "br0"}, internal("good", "br0"))
		require.ErrorContains(t, err, "create ovs-port/nodevice: add port nodevice: ovs-vswitchd: could not open network device nodevice (No such device)")
		_, err = e.Remove(t.Context(), ovs.PortKey("good"), ovs.PortKey("nodevice"))
		require.NoError(t, err)
		require.Equal(t, before, o.String())
	})
}

// What is refused is so before anything is sent.
func TestRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		// Somebody's, without any mark; a bond among them.
		by := dial(t, o, "other")
		_, err := engine(o, by).Ensure(t.Context(), ovs.Bridge{Name: "b", OVSName: "brx", Datapath: ovs.Netdev}, ovs.Port{Name: "p", Bridge: "b", OVSName: "px", Type: ovs.Internal})
		require.NoError(t, err)
		nobodys(o, "br-int")
		bond(o, "bond0", "br-int", "m1", "m2")
		before, writes := o.String(), o.Writes()
		e := engine(o, dial(t, o, "me"))
		for name, want := range map[string]desiredstate.Object{
			"another owner's name":  bridge("brx"),
			"a bridge's name":       bridge("br-int"),
			"a port's name":         bridge("px"),
			"a bond's member":       internal("m1", "ovs:br-int"),
			"a bond":                internal("bond0", "other/b"),
			"another owner's port":  internal("px", "other/b"),
			"by OVS's name":         ovs.Port{Name: "mine", OVSName: "px", Bridge: "other/b", Type: ovs.Internal},
			"a bridge's own port":   internal("br-int", "other/b"),
			"out of the directory":  ovs.Port{Name: "v", Bridge: "other/b", Type: ovs.VhostUserClient, Socket: "/etc/v"},
			"bridge by other names": internal("q", "brx"),
		} {
			_, err := e.Ensure(t.Context(), want)
			require.Error(t, err, name)
			require.True(t, isOne(err, desiredstate.ErrForeign, desiredstate.ErrInvalid, desiredstate.ErrMissing), "%s: %v", name, err)
		}
		require.Equal(t, writes, o.Writes())
		require.Equal(t, before, o.String())

		// But it may be referred to.
		_, err = e.Ensure(t.Context(), internal("mine", "other/b"), internal("mine2", "ovs:br-int"))
		require.NoError(t, err)
		_, err = engine(o, by).Remove(t.Context(), ovs.BridgeKey("b"), ovs.PortKey("p"))
		require.ErrorIs(t, err, desiredstate.ErrInUse) // as mine is on it
		require.Contains(t, o.String(), "port name=mine ")
		_, err = e.Remove(t.Context(), ovs.PortKey("mine"), ovs.PortKey("mine2"))
		require.NoError(t, err)
		_, err = engine(o, by).Remove(t.Context(), ovs.BridgeKey("b"))
		require.NoError(t, err)
		require.NotContains(t, o.String(), "brx")
	})
}

func isOne(err error, of ...error) bool {
	for _, e := range of {
		if strings.Contains(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}

// A bridge whose port came after the engine last looked is still in use.
func TestInUseUnseen(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		e := engine(o, dial(t, o, "me"))
		_, err := e.Ensure(t.Context(), bridge("br0"))
		require.NoError(t, err)
		_, err = engine(o, dial(t, o, "other")).Ensure(t.Context(), internal("theirs", "me/br0"))
		require.NoError(t, err)
		_, err = e.Remove(t.Context(), ovs.BridgeKey("br0"))
		require.ErrorContains(t, err, "delete bridge br0: in use: on it are theirs")
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		require.Contains(t, o.String(), "port name=theirs")
	})
}
