// SPDX-License-Identifier: Apache-2.0

package binapi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// An engine of all kinds does what VPP can, and says why not of each object that
// it cannot; what VPP has of such objects stays.
func TestKindsThatSayWhyNot(t *testing.T) {
	c := dial(t, vpptest.WithoutPlugin("vhost"))
	all := kinds(c)
	r := binapi.Check(c, all...)
	require.Equal(t, []string{"vhost-port"}, r.Unavailable())
	require.NoError(t, r.Why("bridge-domain"))
	require.ErrorIs(t, r.Why("vhost-port"), binapi.ErrIncompatible)
	require.ErrorContains(t, r.Why("flight"), "flight was not checked")

	e := desiredstate.New(r.Kinds(all...)...)
	want := []desiredstate.Object{
		vppnet.BridgeDomain{Name: "net"},
		vhost.Port{Name: "vm", Socket: "/run/vms/vm"},
		vppnet.BridgePort{Bridge: "net", Interface: "vm"},
	}
	p, err := e.Plan(t.Context(), want...)
	require.NoError(t, err)
	require.Contains(t, p.String(), "? interface/vm (vhost-port): unavailable: "+r.Why("vhost-port").Error()+"\n")
	report, err := e.Apply(t.Context(), p)
	require.ErrorIs(t, err, desiredstate.ErrUnavailable)
	require.ErrorIs(t, err, binapi.ErrIncompatible)
	require.ErrorContains(t, err, "plugin vhost")
	require.Equal(t, 1, report.Changed())
	_, err = e.Remove(t.Context(), want[0].Key())
	require.NoError(t, err)

	full := dial(t)
	require.Equal(t, names(kinds(full)), names(binapi.Check(full, kinds(full)...).Kinds(kinds(full)...)))
	require.Empty(t, binapi.Check(full, kinds(full)...).Unavailable())
}
