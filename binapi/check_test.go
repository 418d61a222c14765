// SPDX-License-Identifier: Apache-2.0

package binapi_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/memif"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/kinds/dhcp"
	"github.com/vppkit/vppkit/kinds/linuxcp"
	"github.com/vppkit/vppkit/kinds/lldp"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/kinds/uplink"
	"github.com/vppkit/vppkit/kinds/urpf"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/l3/nat66"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// ed stands for both variants of NAT: what they use is alike.
const ed = nat.EndpointDependent

// kinds are all that the library has.
func kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		vppnet.Interfaces(c), vppnet.LinkStates(c), vppnet.Loopbacks(c), vppnet.HostInterfaces(c), vppnet.SubInterfaces(c),
		vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.FIBEntries(c),
		vppnet.MemifSockets(c, "/run/memif"), vppnet.Memifs(c), vppnet.VXLANTunnels(c, l3.Tables(c)), vppnet.Mirrors(c), vppnet.GRETunnels(c, l3.Tables(c)), vppnet.TAPs(c), vppnet.CrossConnects(c), vppnet.Pipes(c), vppnet.PipeEnds(c),
		acl.Sets(c), acl.MACIPSets(c), acl.Bindings(c), acl.MACIPBindings(c), acl.EtherTypeLists(c),
		l3.Tables(c), l3.Memberships(c), l3.Addresses(c), l3.Unnumbereds(c), l3.Routes(c), l3.Neighbours(c), l3.NeighbourCaches(c),
		l3.RouterAdvertisements(c), l3.ProxyARPRanges(c), l3.ProxyARPs(c), l3.DHCPRelays(c),
		nat.Plugins(c, ed), nat.Interfaces(c, ed), nat.Addresses(c, ed), nat.Mappings(c, ed), nat.Identities(c, ed), nat.Exits(c),
		nat64.Interfaces(c, nat64.Sizes{}), nat64.Addresses(c), nat64.Prefixes(c), nat64.Mappings(c, nat64.Sizes{}), nat64.AllTimeouts(c),
		nat66.Interfaces(c), nat66.Mappings(c),
		vrrp.Routers(c), l3.CrossConnects(c), l3.MSSClamps(c), l3.PolicyRoutes(c, acl.Sets(c)), l3.PolicyAttachments(c, l3.PolicyRoutes(c, acl.Sets(c))),
		bond.Bonds(c), bond.Members(c),
		gpe.Overlays(c), gpe.VNIs(c), gpe.LocatorSets(c), gpe.LocalEIDs(c), gpe.RemoteEIDs(c), gpe.ARPEntries(c),
		qos.Policers(c), qos.Attachments(c, new(vppnet.Memory)), qos.Records(c), qos.Stores(c), qos.EgressMaps(c), qos.Marks(c, qos.EgressMaps(c)), urpf.Checks(c),
		classify.Tables(c), classify.Sessions(c, qos.Policers(c)), classify.Inputs(c), classify.Outputs(c, new(vppnet.Memory)), wireguard.Interfaces(c), wireguard.Peers(c),
		uplink.Queues(c, new(uplink.Memory)), uplink.Promiscuouses(c, new(uplink.Memory)), dhcp.Clients(c),
		lldp.Ports(c, new(vppnet.Memory)), lldp.AllSettings(c, new(vppnet.Memory)), linuxcp.Pairs(c), linuxcp.Namespaces(c, new(vppnet.Memory)),
		vhost.Ports(c, "/run/vms"),
	}
}

func names(kinds []desiredstate.AnyKind) (out []string) {
	for _, k := range kinds {
		out = append(out, k.KindName())
	}
	return out
}

func dial(t *testing.T, opts ...vpptest.Option) *vppnet.Conn {
	t.Helper()
	c, err := vppnet.Dial(t.Context(), vpptest.New(t, opts...).Socket(), "me")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestManifest(t *testing.T) {
	all := kinds(nil)
	text := binapi.Manifest(all...)
	golden(t, "manifest.txt", text)
	require.NotContains(t, text, "unknown")
	require.Equal(t, text, binapi.Manifest(append(all[4:], all...)...), "order and repetition do not matter")
}

func TestAllAvailable(t *testing.T) {
	c := dial(t)
	sent := c.Stats().Sent
	all := kinds(c)
	r := binapi.Check(c, all...)
	require.True(t, r.OK(), r.String())
	require.NoError(t, r.Err())
	require.Empty(t, r.Missing)
	require.Equal(t, all, r.Available(all...))
	require.Equal(t, sent, c.Stats().Sent, "nothing is sent")
	golden(t, "ok.txt", r.String())
}

func TestWithoutPlugin(t *testing.T) {
	c := dial(t, vpptest.WithoutPlugin("vhost"))
	all := kinds(c)
	r := binapi.Check(c, all...)
	require.False(t, r.OK())
	require.ErrorIs(t, r.Err(), binapi.ErrIncompatible)
	require.ErrorContains(t, r.Err(), "unavailable: vhost-port: create_vhost_user_if_v2 (vhost): lacking")
	for _, m := range r.Missing {
		require.Equal(t, "vhost", m.Plugin, m.Name)
		require.Equal(t, []string{"vhost-port"}, m.Kinds, m.Name)
		require.Empty(t, m.VPPCRC, m.Name)
	}
	golden(t, "without_vhost.txt", r.String())

	works := r.Available(all...)
	require.Equal(t, names(all[:len(all)-1]), names(works))
	report, err := desiredstate.New(works...).Ensure(t.Context(),
		vppnet.BridgeDomain{Name: "blue"}, vppnet.Loopback{Name: "lo"}, vppnet.BridgePort{Bridge: "blue", Interface: "lo"})
	require.NoError(t, err)
	require.Len(t, report, 3)
	require.Equal(t, desiredstate.Create, report[0].Action)

	_, err = vhost.Ports(c, "/run/vms").Ensure(t.Context(), vhost.Port{Name: "vm1", Socket: "/run/vms/vm1", Server: true})
	require.ErrorIs(t, err, vppnet.ErrUnsupported, "what was foretold")
}

func TestRequiredKindsCount(t *testing.T) {
	vpp := table{}
	for _, k := range kinds(nil) {
		for _, key := range k.Uses() {
			vpp[key] = true
		}
	}
	delete(vpp, "sw_interface_dump_aa610c27")
	vpp["sw_interface_dump_12345678"] = true
	delete(vpp, "af_packet_dump_51077d14")
	all := kinds(nil)
	r := binapi.Check(vpp, append(all, all...)...)
	without := []string{
		"bridge-domain", "memif-socket", "acl", "macip-acl", "neighbour-cache", "nat64-timeouts", "arp-entry", "policer", "lldp-settings", "linux-cp-namespace",
	}
	require.Equal(t, without, names(r.Available(all...)))
	golden(t, "other_crc.txt", r.String())
	last := r.Missing[len(r.Missing)-1]
	require.Equal(t, binapi.Message{
		Name: "sw_interface_dump", CRC: "aa610c27", VPPCRC: "12345678", Plugin: "vpp core", Kinds: last.Kinds,
	}, last)
	require.NotContains(t, last.Kinds, "bridge-domain")
	require.Len(t, last.Kinds, len(all)-len(without))
}

func TestUnchecked(t *testing.T) {
	all := kinds(nil)
	require.Empty(t, binapi.Report{}.Available(all...))
	require.True(t, binapi.Check(table{}).OK())
	k := &desiredstate.Kind[vppnet.Interface]{Name: "odd", Messages: []string{"odd_dump_01020304"}}
	r := binapi.Check(table{}, k)
	require.Equal(t, []binapi.Message{{Name: "odd_dump", CRC: "01020304", Plugin: "unknown", Kinds: []string{"odd"}}}, r.Missing)
	require.Contains(t, r.String(), "plugin unknown\n")
}

// What no kind declared is not sent, though VPP has it.
func TestOutsideOfTheManifest(t *testing.T) {
	c := dial(t)
	r := binapi.Check(c, vppnet.BridgeDomains(c))
	require.True(t, r.OK())
	sent := c.Stats().Sent
	_, err := interfaces.NewServiceClient(c).SwInterfaceSetFlags(t.Context(), &interfaces.SwInterfaceSetFlags{})
	require.ErrorIs(t, err, vppnet.ErrNotAllowed)
	require.ErrorContains(t, err, "sw_interface_set_flags")
	_, err = memif.NewServiceClient(c).MemifDelete(t.Context(), &memif.MemifDelete{})
	require.ErrorIs(t, err, vppnet.ErrNotAllowed)
	require.ErrorContains(t, err, "memif_delete")
	require.Equal(t, sent, c.Stats().Sent)
}

// table is a VPP that has these messages.
type table map[string]bool

func (v table) Has(key string) bool { return v[key] }

func (v table) CRC(name string) (string, bool) {
	for key := range v {
		if crc, ok := strings.CutPrefix(key, name+"_"); ok && len(crc) == 8 && !strings.Contains(crc, "_") {
			return crc, true
		}
	}
	return "", false
}
