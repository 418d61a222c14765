// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

func TestBondedUplinks(t *testing.T) {
	name, b, err := translate.ParseBond("uplink=GigabitEthernet0/8/0,GigabitEthernet0/9/0,mode=active-backup")
	require.NoError(t, err)
	require.Equal(t, "uplink", name)
	s := site
	s.Physnets = map[string]string{"physnet1": "uplink"}
	s.Bonds = map[string]translate.Bond{name: b}
	s.MTU = map[string]uint32{"physnet1": 9000}
	require.NoError(t, s.Validate())
	link := vppnet.LinkState{Interface: "uplink", Up: true, MTU: 9000}
	nic8, nic9 := vppnet.Foreign("GigabitEthernet0/8/0"), vppnet.Foreign("GigabitEthernet0/9/0")
	mac := s.UplinkObjects("physnet1")[0].(bond.Bond).MAC
	require.NoError(t, mac.CheckUnicast())
	other := s
	other.Host = "another"
	require.NotEqual(t, mac, other.UplinkObjects("physnet1")[0].(bond.Bond).MAC, "by it LACP tells hosts apart")
	s.HA = true
	require.Equal(t, mac, s.UplinkObjects("physnet1")[0].(bond.Bond).MAC, "whoever serves routers")
	require.Equal(t, []desiredstate.Object{
		bond.Bond{Name: "uplink", Mode: bond.ActiveBackup, MAC: mac},
		bond.Member{Bond: "uplink", Interface: nic8},
		vppnet.LinkState{Interface: nic8, Up: true},
		bond.Member{Bond: "uplink", Interface: nic9},
		vppnet.LinkState{Interface: nic9, Up: true},
		link,
	}, s.UplinkObjects("physnet1"))
	require.True(t, s.IsUplink(nic9))
	require.False(t, s.IsUplink("GigabitEthernet0/9/0"), "that would be one of ours")
	p, err := s.Port(id, value(nil))
	require.NoError(t, err)
	require.Contains(t, p.Objects(), desiredstate.Object(link))

	_, b, err = translate.ParseBond("uplink=GigabitEthernet0/8/0")
	require.NoError(t, err)
	require.Zero(t, b.Mode, "LACP")
	_, _, err = translate.ParseBond("uplink=a,mode=802.3ad")
	require.Error(t, err)

	for why, with := range map[string]func(*translate.Site){
		"no physical network is on it":                func(s *translate.Site) { s.Bonds["other"] = translate.Bond{Members: []string{"x"}} },
		"is a member of \"":                           func(s *translate.Site) { s.Bonds["other"] = b; s.Physnets["physnet2"] = "other" },
		"is a physical network's interface by itself": func(s *translate.Site) { s.Physnets["physnet2"] = "GigabitEthernet0/8/0" },
		"MTU of physical network \"x\"":               func(s *translate.Site) { s.MTU["x"] = 1500 },
		"physical network \"physnet1\": MTU":          func(s *translate.Site) { s.MTU["physnet1"] = 1 << 20 },
		"bond \"uplink\": interface \"vpp:\"":         func(s *translate.Site) { s.Bonds["uplink"] = translate.Bond{Members: []string{""}} },
	} {
		bad := s
		bad.Bonds, bad.Physnets, bad.MTU = maps.Clone(s.Bonds), maps.Clone(s.Physnets), maps.Clone(s.MTU)
		with(&bad)
		require.ErrorContains(t, bad.Validate(), why)
	}
}
