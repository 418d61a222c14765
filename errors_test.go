// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/vrrp"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// clash is a VPP with things of others, and of ours.
func clash(t *testing.T) *vppnet.Conn {
	t.Helper()
	vpp := vpptest.New(t, vpptest.WithInterface("nic"))
	other, err := vppnet.Dial(t.Context(), vpp.Socket(), "other")
	require.NoError(t, err)
	defer other.Close()
	_, err = desiredstate.New(vppnet.Loopbacks(other), vppnet.BridgeDomains(other), vppnet.Pipes(other), l3.Tables(other), bond.Bonds(other)).Ensure(t.Context(),
		vppnet.Loopback{Name: "lo"}, vppnet.BridgeDomain{Name: "net", ID: 7}, vppnet.Pipe{Name: "wire"}, l3.Table{Name: "red"}, bond.Bond{Name: "trunk", Mode: bond.LACP})
	require.NoError(t, err)
	c, err := vppnet.Dial(t.Context(), vpp.Socket(), "me")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Every error that a user can meet says what is wrong, with what, and what to do about it.
func TestErrorsSayWhatToDo(t *testing.T) {
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	kinds := func(k ...desiredstate.AnyKind) []desiredstate.AnyKind { return k }
	objects := func(o ...desiredstate.Object) []desiredstate.Object { return o }
	for name, x := range map[string]struct {
		kinds func(c *vppnet.Conn) []desiredstate.AnyKind
		want  []desiredstate.Object
		says  []string
	}{
		// What is not ours.
		"another's bridge domain, by number": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.BridgeDomains(c)) },
			objects(vppnet.BridgeDomain{Name: "mine", ID: 7}),
			[]string{"bridge-domain/other/net", "choose another"},
		},
		"a link that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.LinkStates(c)) },
			objects(vppnet.LinkState{Interface: "vpp:nic", Up: true}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"others' port in others' bridge": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.BridgePorts(c)) },
			objects(vppnet.BridgePort{Bridge: "other/net", Interface: "other/lo"}),
			[]string{"bridge-port/other/lo", "Engine.Adopt"},
		},
		"a static address in others' bridge": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.FIBEntries(c)) },
			objects(vppnet.FIBEntry{Bridge: "other/net", MAC: vppnet.MAC{2}, Filter: true}),
			[]string{"other/net", "Engine.Adopt"},
		},
		"others' cross-connect": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.CrossConnects(c)) },
			objects(vppnet.CrossConnect{From: "vpp:nic", To: "other/lo"}),
			[]string{"Engine.Adopt"},
		},
		"others' mirror": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Mirrors(c)) },
			objects(vppnet.Mirror{From: "vpp:nic", To: "other/lo"}),
			[]string{"Engine.Adopt"},
		},
		"an end of others' pipe": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.PipeEnds(c)) },
			objects(vppnet.PipeEnd{Name: "end", Pipe: "other/wire"}),
			[]string{`"other/wire" contains a slash, which stands between an owner and a name`},
		},
		"a member of others' bond": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(bond.Members(c)) },
			objects(bond.Member{Bond: "other/trunk", Interface: "vpp:nic"}),
			[]string{"Engine.Adopt"},
		},
		"ethertypes of an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(acl.EtherTypeLists(c)) },
			objects(acl.EtherTypes{Interface: "vpp:nic", Input: []uint16{0x806}}),
			[]string{"vppnet.ClaimInterfaces"},
		},
		"an address on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Addresses(c)) },
			objects(l3.Address{Interface: "vpp:nic", Prefix: prefix("10.0.0.1/24")}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"others' interface in others' table": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Memberships(c)) },
			objects(l3.Membership{Interface: "vpp:nic", Table: "other/red"}),
			[]string{"vpp:nic", "name one of ours", "Engine.Adopt"},
		},
		"a route of the default table": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Routes(c)) },
			objects(l3.Route{Prefix: prefix("10.0.0.0/8")}),
			[]string{"route/10.0.0.0/8", "l3.RouteClaim"},
		},
		"an address of no pool of ours": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(nat.Plugins(c, nat.EndpointDependent), nat.Addresses(c, nat.EndpointDependent, prefix("192.0.2.0/24")))
			},
			objects(nat.Plugin{}, nat.Address{Address: addr("203.0.113.1"), AnyTable: true}),
			[]string{"203.0.113.1", "claimed prefixes [192.0.2.0/24]", "give the kind one that has it"},
		},
		"a number that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(qos.EgressMaps(c)) },
			objects(qos.EgressMap{ID: 9}),
			[]string{"egress map 9", "vppnet.Claims"},
		},
		"a VNI of others' bridge domain": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(gpe.Overlays(c), gpe.VNIs(c)) },
			objects(gpe.Overlay{}, gpe.VNI{ID: 9, Bridge: "other/net"}),
			[]string{"bridge-domain", "vppnet.Claims", "Engine.Adopt"},
		},

		// What is in the way.
		"two subnets that overlap": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c), l3.Addresses(c)) },
			objects(vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"},
				l3.Address{Interface: "a", Prefix: prefix("10.0.0.1/16")}, l3.Address{Interface: "b", Prefix: prefix("10.0.9.1/24")}),
			[]string{"overlaps 10.0.", "take another, or remove that"},
		},
		"one address twice": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c), l3.Addresses(c)) },
			objects(vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"},
				l3.Address{Interface: "a", Prefix: prefix("10.0.0.1/24")}, l3.Address{Interface: "b", Prefix: prefix("10.0.0.1/24")}),
			[]string{"conflict", "address/a 10.0.0.1/24", "10.0.0.1"},
		},
		"something without a kind": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.BridgeDomains(c)) },
			objects(vppnet.Loopback{Name: "a"}),
			[]string{"vppnet.Loopback", "give the engine the kind"},
		},
		"something that lacks something": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.BridgePorts(c)) },
			objects(vppnet.BridgePort{Bridge: "net", Interface: "vm1"}),
			[]string{"missing dependency: bridge-domain/net, interface/vm1"},
		},

		// Fields.
		"a name that is too long, in bytes": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c)) },
			objects(vppnet.Loopback{Name: strings.Repeat("a", 61)}),
			[]string{"name", "61 bytes", "at most 60", "VPP's tag"},
		},
		"a name with a letter that has two bytes": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c)) },
			objects(vppnet.Loopback{Name: "ü"}),
			[]string{`name "ü" contains 'ü'`, "want letters"},
		},
		"a socket outside": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vhost.Ports(c, "/run/vms", "/run/more")) },
			objects(vhost.Port{Name: "vm1", Socket: "/tmp/vm1"}),
			[]string{"socket /tmp/vm1", "/run/vms or /run/more"},
		},
		"a socket, and no directory for any": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vhost.Ports(c)) },
			objects(vhost.Port{Name: "vm1", Socket: "/tmp/vm1"}),
			[]string{"socket /tmp/vm1", "was given no directory"},
		},
		"a socket that is too long, in bytes": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vhost.Ports(c, "/run")) },
			objects(vhost.Port{Name: "vm1", Socket: "/run/" + strings.Repeat("a", 103)}),
			[]string{"socket", "108 bytes", "at most 107"},
		},
		"a prefix with host bits": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Routes(c)) },
			objects(l3.Route{Prefix: prefix("10.0.0.1/8")}),
			[]string{"10.0.0.1/8 has host bits", "want 10.0.0.0/8"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := clash(t)
			_, err := desiredstate.New(x.kinds(c)...).Ensure(t.Context(), x.want...)
			require.Error(t, err)
			t.Log(err)
			for _, s := range x.says {
				require.ErrorContains(t, err, s)
			}
		})
	}
}

// A VPP without a plugin: the error names the message, the API and what finds all of it.
func TestErrorsOfMissingPlugins(t *testing.T) {
	c, err := vppnet.Dial(t.Context(), vpptest.New(t, vpptest.WithoutPlugin("acl")).Socket(), "me")
	require.NoError(t, err)
	defer c.Close()
	_, err = acl.Sets(c).Ensure(t.Context(), acl.Set{Name: "web"})
	require.ErrorIs(t, err, vppnet.ErrUnsupported)
	require.ErrorContains(t, err, "it lacks acl_dump (CRC ")
	require.ErrorContains(t, err, "of the API acl: load its plugin in startup.conf; binapi.Check says what all kinds lack")
	require.ErrorContains(t, binapi.Check(c, acl.Sets(c)).Why("acl"), "plugin acl; is that loaded?")

	_, err = vrrp.NewServiceClient(c).VrrpVrAddDel(t.Context(), &vrrp.VrrpVrAddDel{})
	require.ErrorContains(t, err, "call Uses(&vrrp.VrrpVrAddDel{}) on the Conn first")
}

// A socket that is not VPP's is said to be none, at once where that can be known.
func TestErrorsOfSockets(t *testing.T) {
	dir, err := os.MkdirTemp("", "sock")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file, chatty := filepath.Join(dir, "file"), filepath.Join(dir, "chatty")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	l, err := net.Listen("unix", chatty)
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
		}
	}()
	for path, says := range map[string]string{file: "it is no socket", chatty: "not VPP's API socket"} {
		_, err := vppnet.Dial(t.Context(), path, "me")
		require.ErrorContains(t, err, "dial VPP at "+path)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "/run/vpp/api.sock")
	}

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // for one try, on a machine that is busy
	defer cancel()
	_, err = vppnet.Dial(ctx, filepath.Join(dir, "none"), "me")
	require.ErrorContains(t, err, "no such file or directory")

	_, err = vppnet.Dial(t.Context(), file, strings.Repeat("ü", 16))
	require.ErrorContains(t, err, "has 32 bytes, want 1 to 31")
}
