// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/feature"
	"go.fd.io/govpp/binapi/l2"
)

func TestReal(t *testing.T) {
	vpp := Real(t)
	w := client(t, vpp.Socket())
	first := pid(t, w)
	out, err := vpp.CLI("show version")
	require.NoError(t, err, out)
	require.Contains(t, out, "vpp v")

	require.NoError(t, vpp.Restart())
	_, _, err = w.ask()
	require.Error(t, err)
	require.NotEqual(t, first, pid(t, client(t, vpp.Socket())))
	vpp.Kill()
	_, err = dial(vpp.Socket())
	require.Error(t, err)
	vpp.Kill()
}

// Faults, and the count of writes, are as good before a real VPP.
func TestProxyOfReal(t *testing.T) {
	vpp := Real(t)
	proxy := NewProxy(t, vpp.Socket())
	w := client(t, proxy.Socket())
	domains := func(w *wire) (ids []uint32) {
		answers, _, err := w.ask(&l2.BridgeDomainDump{BdID: none, SwIfIndex: none})
		require.NoError(t, err)
		for _, m := range answers {
			ids = append(ids, m.(*l2.BridgeDomainDetails).BdID)
		}
		return ids
	}
	proxy.Inject(Fault{Message: "bridge_domain_add_del_v2", Nth: 2, Kind: Drop})
	proxy.Inject(Fault{Message: "bridge_domain_add_del_v2", Nth: 3, Kind: Refuse, Retval: -1})
	answers, _, err := w.ask(domain5(1), domain5(2), domain5(3), domain5(4))
	require.NoError(t, err)
	require.Equal(t, []api.Message{
		&l2.BridgeDomainAddDelV2Reply{BdID: 1},
		&l2.BridgeDomainAddDelV2Reply{Retval: -1, BdID: none},
		&l2.BridgeDomainAddDelV2Reply{BdID: 4},
	}, answers)
	require.Equal(t, []uint32{1, 2, 4}, domains(w))
	_, _, err = w.ask(&feature.FeatureIsEnabled{ArcName: "device-input", FeatureName: "span-input"})
	require.NoError(t, err)
	require.Equal(t, 4, proxy.Writes())

	for kind, want := range map[FaultKind][]uint32{CutBefore: {1, 2, 4}, CutAfter: {1, 2, 4, 5}} {
		proxy.Inject(Fault{Message: "bridge_domain_add_del_v2", Kind: kind})
		w = client(t, proxy.Socket())
		_, _, err = w.ask(domain5(5), domain5(6))
		require.ErrorIs(t, err, io.EOF)
		w = client(t, proxy.Socket())
		require.Equal(t, want, domains(w))
		_, _, err = w.ask(&l2.BridgeDomainAddDelV2{BdID: 5})
		require.NoError(t, err)
	}
}
