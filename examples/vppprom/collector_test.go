// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/adapter"
	"go.fd.io/govpp/adapter/statsclient"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/kinds/vppstat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

type segment func() ([]adapter.StatEntry, error)

func (s segment) DumpStats(...string) ([]adapter.StatEntry, error) { return s() }

// metrics are what Prometheus gets of a VPP with a loopback and a policer.
func metrics(t *testing.T, socket string, stats vppstat.Stats) string {
	c, err := vppnet.Dial(t.Context(), socket, "node1")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = desiredstate.New(vppnet.Loopbacks(c), qos.Policers(c)).Ensure(t.Context(),
		vppnet.Loopback{Name: "wan"}, qos.Policer{Name: "gold", Rate: 1000, Burst: 10000, Conform: qos.Transmit})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	handler(c, stats).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code, w.Body)
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	text := metrics(t, vpptest.New(t).Socket(), segment(func() ([]adapter.StatEntry, error) {
		return []adapter.StatEntry{
			{StatIdentifier: adapter.StatIdentifier{Name: []byte("/if/rx")}, Data: adapter.CombinedCounterStat{{{0, 0}, {3, 192}}}},
			{StatIdentifier: adapter.StatIdentifier{Name: []byte("/net/policer/violate")}, Data: adapter.CombinedCounterStat{{{1, 64}}}},
			{StatIdentifier: adapter.StatIdentifier{Name: []byte("/err/ip4-input/bad")}, Data: adapter.SimpleCounterStat{{7}}},
			{StatIdentifier: adapter.StatIdentifier{Name: []byte("/err/ip4-input/none")}, Data: adapter.SimpleCounterStat{{0}}},
		}, nil
	}))
	for _, line := range []string{
		"vpp_up 1", `vpp_interface_packets_total{direction="rx",interface="wan"} 3`, `vpp_interface_bytes_total{direction="rx",interface="wan"} 192`,
		`vpp_policer_bytes_total{color="violate",policer="gold"} 64`, `vpp_errors_total{error="ip4-input/bad"} 7`, `vpp_nat_sessions{nat="44"} 0`, `vpp_nat_sessions{nat="64"} 0`,
	} {
		require.Contains(t, text, line+"\n")
	}
	require.NotContains(t, text, "none")
}

func TestMetricsWithoutSegment(t *testing.T) {
	text := metrics(t, vpptest.New(t).Socket(), segment(func() ([]adapter.StatEntry, error) { return nil, errors.New("gone") }))
	require.Contains(t, text, "vpp_up 0\n")
	require.NotContains(t, text, "wan")
}

// A VPP without the plugin of the ACLs counts all else.
func TestMetricsWithoutAPlugin(t *testing.T) {
	text := metrics(t, vpptest.New(t, vpptest.WithoutPlugin("acl")).Socket(), segment(func() ([]adapter.StatEntry, error) { return nil, nil }))
	require.Contains(t, text, "vpp_up 1\n")
	require.Contains(t, text, `vpp_interface_packets_total{direction="rx",interface="wan"} 0`)
	require.Contains(t, text, `vpp_policer_bytes_total{color="conform",policer="gold"} 0`)
}

// A VPP that refuses to list its ACLs ends no scrape.
func TestMetricsOfWhatCannotBeRead(t *testing.T) {
	vpp := vpptest.New(t)
	vpp.Inject(vpptest.Fault{Message: "acl_dump", Kind: vpptest.CutBefore, Times: -1})
	text := metrics(t, vpp.Socket(), segment(func() ([]adapter.StatEntry, error) { return nil, nil }))
	require.Contains(t, text, "vpp_up 0\n")
}

func TestMetricsReal(t *testing.T) {
	vpp := vpptest.Real(t)
	stats := statsclient.NewStatsClient(filepath.Join(vpp.Dir(), "stats.sock"))
	require.NoError(t, stats.Connect())
	t.Cleanup(func() { _ = stats.Disconnect() })
	text := metrics(t, vpp.Socket(), stats)
	require.Contains(t, text, "vpp_up 1\n")
	require.Contains(t, text, `vpp_interface_packets_total{direction="rx",interface="wan"} 0`)
	require.Contains(t, text, `vpp_policer_bytes_total{color="conform",policer="gold"} 0`)
}
