// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A plan says that a change can end what rules have let in, so that who must not end it can
// refuse; what only lets in more disturbs nothing.
func TestChangesDisturb(t *testing.T) {
	e := committing(dial(t, vpptest.New(t).Socket(), "me"))
	rule := func(port uint16) acl.Rule {
		return acl.Rule{Action: acl.PermitReflect, Family: acl.IPv4, Protocol: acl.TCP, DstPorts: acl.Only(port)}
	}
	want := func(in, out []string, rules ...acl.Rule) []desiredstate.Object {
		return []desiredstate.Object{
			vppnet.Loopback{Name: "a"}, acl.Set{Name: "x", Rules: rules}, acl.Set{Name: "y"}, acl.Binding{Interface: "a", Input: in, Output: out},
		}
	}
	x, xy, y := []string{"x"}, []string{"x", "y"}, []string{"y"}
	_, err := e.Ensure(t.Context(), want(x, nil, rule(80))...)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		want     []desiredstate.Object
		disturbs desiredstate.Disruption
	}{
		"as it is":                           {want(x, nil, rule(80)), desiredstate.DisturbsNothing},
		"one rule more":                      {want(x, nil, rule(80), rule(81)), desiredstate.DisturbsNothing},
		"a rule before":                      {want(x, nil, rule(81), rule(80)), desiredstate.DisturbsSessions},
		"another rule":                       {want(x, nil, rule(81)), desiredstate.DisturbsSessions},
		"no rule":                            {want(x, nil), desiredstate.DisturbsSessions},
		"one set more":                       {want(xy, nil, rule(80)), desiredstate.DisturbsNothing},
		"another set":                        {want(y, nil, rule(80)), desiredstate.DisturbsSessions},
		"sets where all could pass till now": {want(x, y, rule(80)), desiredstate.DisturbsTraffic},
	} {
		p, err := e.PlanEnsure(t.Context(), c.want...)
		require.NoError(t, err)
		require.Equal(t, c.disturbs, p.Disturbs(), name)
	}
}
