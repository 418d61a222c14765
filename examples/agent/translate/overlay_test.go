// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/ownkind"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/vppnet"
)

var (
	under    = site.Underlay("physnet1", netip.MustParsePrefix("192.0.2.1/24"))
	overlaid = func() translate.Site {
		s := site
		s.Overlay = translate.GPE{Underlay: under}
		return s
	}()
)

// Geneve is an overlay that neither the agent nor the library knows: tunnels of a kind from
// outside.
type Geneve struct{ translate.Underlay }

func (Geneve) Kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{ownkind.Tunnels(c)}
}
func (Geneve) Base() []desiredstate.Object                   { return nil }
func (Geneve) Join(string, uint32) []desiredstate.Object     { return nil }
func (Geneve) Here(uint32, vppnet.MAC) []desiredstate.Object { return nil }
func (o Geneve) There(bridge string, vni uint32, r translate.Remote) []desiredstate.Object {
	name := translate.TunnelName(vni, r.At)
	return append(translate.InTunnel(bridge, name), ownkind.Tunnel{Name: name, Src: o.Address.Addr(), Dst: r.At, VNI: vni})
}

func sighting(name, mac, host string) translate.Sighting {
	g, err := overlaid.Sighting(name, []byte(fmt.Sprintf(`{"mac":%q,"host":%q}`, mac, host)))
	if err != nil {
		panic(err)
	}
	return g
}

// What hosts say of one network comes to this in each sort of overlay.
func TestOverlays(t *testing.T) {
	said := []translate.Sighting{
		sighting("5001/h2/10.0.0.2", "fa:16:3e:00:00:02", "192.0.2.2"),
		sighting("5001/h2/2001:db8::2", "fa:16:3e:00:00:02", "192.0.2.2"),
		sighting("5001/h2/10.0.0.3", "fa:16:3e:00:00:03", "192.0.2.2"),
		sighting("5001/h3/10.0.0.4", "fa:16:3e:00:00:04", "192.0.2.3"),
		sighting("5001/h3/10.0.0.9", "fa:16:3e:00:00:09", "192.0.2.3"), // it is here by now
		{VNI: 5001, Host: site.Host, Addr: netip.MustParseAddr("10.0.0.9"), MAC: mac(9), At: under.Address.Addr()},
	}
	for name, o := range map[string]translate.Overlay{"gpe": translate.GPE{Underlay: under}, "vxlan": translate.VXLAN{Underlay: under}, "geneve": Geneve{under}} {
		s := site
		s.Overlay = o
		require.NoError(t, s.Validate())
		var b strings.Builder
		show := func(title string, objs []desiredstate.Object) {
			fmt.Fprintln(&b, title)
			for _, o := range objs {
				require.NoError(t, o.Validate())
				fmt.Fprintf(&b, "  %s %s\n", o.Key(), set(t, o))
			}
		}
		show("host", s.UnderlayObjects())
		remotes := s.Remotes(5001, said, func(m vppnet.MAC) bool { return m == mac(9) })
		for _, host := range slices.Sorted(maps.Keys(remotes)) {
			show(host, remotes[host])
		}
		golden(t, "remotes-"+name, b.String())
	}
}

func mac(n byte) vppnet.MAC { return vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0, n} }

// A MAC that two hosts have is at the one that said so last, with the addresses that this one
// gave it; when that host takes it back, it is at the other.
func TestAMACMovesBetweenOthers(t *testing.T) {
	was, is := sighting("7/h2/10.0.0.2", "fa:16:3e:00:00:02", "192.0.2.2"), sighting("7/h3/10.0.0.2", "fa:16:3e:00:00:02", "192.0.2.3")
	extra := sighting("7/h2/10.0.0.22", "fa:16:3e:00:00:02", "192.0.2.2")
	was.Revision, extra.Revision, is.Revision = 10, 11, 12
	nobody := func(vppnet.MAC) bool { return false }
	for _, said := range [][]translate.Sighting{{was, extra, is}, {is, extra, was}} {
		out := overlaid.Remotes(7, said, nobody)
		require.Len(t, out, 1)
		require.Equal(t, []desiredstate.Object{
			gpe.RemoteEID{VNI: 7, EID: gpe.MACEID(mac(2)), Locators: []gpe.RemoteLocator{{Address: netip.MustParseAddr("192.0.2.3"), Priority: 1, Weight: 1}}},
			gpe.ARPEntry{Bridge: "gpe.7", Address: netip.MustParseAddr("10.0.0.2"), MAC: mac(2)},
		}, out["h3"])
	}
	require.Len(t, overlaid.Remotes(7, []translate.Sighting{was, extra}, nobody)["h2"], 3)

	// An address that has another owner by now is that one's.
	heir := sighting("7/h4/10.0.0.2", "fa:16:3e:00:00:05", "192.0.2.4")
	heir.Revision = 13
	out := overlaid.Remotes(7, []translate.Sighting{was, heir, extra}, nobody)
	require.Contains(t, out["h4"], desiredstate.Object(gpe.ARPEntry{Bridge: "gpe.7", Address: netip.MustParseAddr("10.0.0.2"), MAC: mac(5)}))
	require.Len(t, out["h2"], 2, "the MAC, and its other address")
}

// Where bridge domains learn who is behind which host, each that says anything is reached: of two that have a MAC, as one of them is
// about to, nobody knows which one it is behind.
func TestHostsThatAreLearnedAreAllReached(t *testing.T) {
	s := overlaid
	s.Overlay = translate.VXLAN{Underlay: under}
	was, is := sighting("7/h2/10.0.0.2", "fa:16:3e:00:00:02", "192.0.2.2"), sighting("7/h3/10.0.0.2", "fa:16:3e:00:00:02", "192.0.2.3")
	was.Revision, is.Revision = 10, 11
	ours := translate.Sighting{VNI: 7, Host: s.Host, Addr: was.Addr, MAC: mac(2), At: under.Address.Addr(), Revision: 12}
	for _, here := range []bool{true, false} {
		out := s.Remotes(7, []translate.Sighting{was, is, ours}, func(vppnet.MAC) bool { return here })
		require.Len(t, out, 2, "here: %v", here)
		for host, at := range map[string]string{"h2": "192.0.2.2", "h3": "192.0.2.3"} {
			name := translate.TunnelName(7, netip.MustParseAddr(at))
			require.Contains(t, out[host], desiredstate.Object(vppnet.VXLANTunnel{Name: name, Src: under.Address.Addr(), Dst: netip.MustParseAddr(at), VNI: 7}))
		}
	}
}

// An address that somebody here has by now is not elsewhere, as one that somebody elsewhere has by now is not here.
// What this host said of somebody who is gone counts no more.
func TestAnAddressIsHereOrThere(t *testing.T) {
	there := sighting("7/h2/10.0.0.2", "fa:16:3e:00:00:02", "192.0.2.2")
	here := translate.Sighting{VNI: 7, Host: site.Host, Addr: there.Addr, MAC: mac(9), At: under.Address.Addr()}
	answer := desiredstate.Object(gpe.ARPEntry{Bridge: "gpe.7", Address: there.Addr, MAC: mac(2)})
	for name, c := range map[string]struct {
		here, there int64
		in          vppnet.MAC // who is here
		answers     bool
	}{
		"here by now":  {50, 5, mac(9), false},
		"there by now": {5, 50, mac(9), true},
		"gone":         {50, 5, mac(8), true},
	} {
		here.Revision, there.Revision = c.here, c.there
		out := overlaid.Remotes(7, []translate.Sighting{here, there}, func(m vppnet.MAC) bool { return m == c.in })
		require.Len(t, out, 1, name)
		require.Equal(t, c.answers, slices.Contains(out["h2"], answer), "%s: %v", name, out)
	}
}

func TestSightingsRefused(t *testing.T) {
	good := `{"mac":"fa:16:3e:00:00:02","host":"192.0.2.2"}`
	for name, c := range map[string]struct{ key, value, err string }{
		"no host":          {"7/10.0.0.1", good, "the key's name is not VNI/HOST/ADDRESS"},
		"odd host":         {"7/a b/10.0.0.1", good, "the key's name is not VNI/HOST/ADDRESS"},
		"VNI 0":            {"0/h2/10.0.0.1", good, "\"0\" is no VNI"},
		"VNI 2^24":         {"16777216/h2/10.0.0.1", good, "is no VNI"},
		"VNI 07":           {"07/h2/10.0.0.1", good, "is no VNI"},
		"no address":       {"7/h2/x", good, "\"x\" is no address of one machine"},
		"group address":    {"7/h2/224.0.0.1", good, "is no address of one machine"},
		"junk":             {"7/h2/10.0.0.1", "junk", "not a JSON object"},
		"no MAC":           {"7/h2/10.0.0.1", `{"host":"192.0.2.2"}`, "mac is missing"},
		"multicast MAC":    {"7/h2/10.0.0.1", `{"mac":"01:00:5e:00:00:02","host":"192.0.2.2"}`, "is no unicast MAC"},
		"no locator":       {"7/h2/10.0.0.1", `{"mac":"fa:16:3e:00:00:02"}`, "host is missing"},
		"locator is none":  {"7/h2/10.0.0.1", `{"mac":"fa:16:3e:00:00:02","host":"h2"}`, "host: \"h2\" is no address of another host"},
		"locator is ours":  {"7/h2/10.0.0.1", `{"mac":"fa:16:3e:00:00:02","host":"192.0.2.1"}`, "host: 192.0.2.1 is this host's own"},
		"locator of IPv6":  {"7/h2/10.0.0.1", `{"mac":"fa:16:3e:00:00:02","host":"2001:db8::2"}`, "cannot be reached from 192.0.2.1"},
		"everywhere":       {"7/h2/10.0.0.1", `{"mac":"fa:16:3e:00:00:02","host":"0.0.0.0"}`, "is no address of another host"},
		"signed by a node": {"7/h2/10.0.0.1", `{"jwt":"a.b.c","certificate":"PEM"}`, "mac is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := overlaid.Sighting(c.key, []byte(c.value))
			require.ErrorContains(t, err, c.err)
		})
	}
	g := sighting("7/h2/2001:db8::9", "fa:16:3e:00:00:02", "192.0.2.2")
	require.Equal(t, "7/h2/2001:db8::9", g.Name())
	require.JSONEq(t, good, g.Value())
}

func TestOverlaySites(t *testing.T) {
	s := overlaid
	s.Overlay = translate.GPE{Underlay: site.Underlay("physnet9", under.Address)}
	require.ErrorContains(t, s.Validate(), "overlay: this host has no physical network \"physnet9\"")
	s.Overlay = translate.GPE{Underlay: site.Underlay("physnet1", netip.MustParsePrefix("192.0.2.0/24"))}
	require.ErrorContains(t, s.Validate(), "is its subnet's own")

	_, err := overlaid.Port(id, value(map[string]any{"network_type": "flat", "segmentation_id": null}))
	require.ErrorContains(t, err, "overlays go by \"physnet1\" here")
	_, err = overlaid.Port(id, value(nil))
	require.NoError(t, err, "VLANs on the same interface are others'")
}
