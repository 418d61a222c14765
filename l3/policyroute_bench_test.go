// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/abf"
	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// BenchmarkPolicyRoutes makes 1,000 policies, each of which an interface of ten has, finds them as
// they are, and takes them away; the sets are there. "hand" sends the same, made beforehand.
func BenchmarkPolicyRoutes(b *testing.B) {
	b.Run("in memory", func(b *testing.B) { benchPolicies(b, vpptest.New(b).Socket()) })
	b.Run("real", func(b *testing.B) { benchPolicies(b, vpptest.Real(b).Socket()) })
}

func benchPolicies(b *testing.B, socket string) {
	const many, ports = 1000, 10
	c := kindrig.Dial(b, socket, "me", vppnet.WithReplyTimeout(time.Minute))
	policies := policyRoutes(c)
	e := kindrig.Engine(vppnet.Loopbacks(c), acl.Sets(c), policies, l3.PolicyAttachments(c, policies))
	var base, all []desiredstate.Object
	for n := range ports {
		base = append(base, vppnet.Loopback{Name: fmt.Sprint("in", n)})
	}
	base = append(base, vppnet.Loopback{Name: "out"})
	for n := range many {
		set := fmt.Sprint("set", n)
		base = append(base, acl.Set{Name: set, Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4}}})
		all = append(all,
			l3.PolicyRoute{Set: set, Paths: []l3.Path{{Interface: "out", NextHop: hop(false, n%200)}}},
			l3.PolicyAttachment{Interface: fmt.Sprint("in", n%ports), Set: set, Priority: uint32(n)})
	}
	r, err := e.Sync(b.Context(), base...)
	require.NoError(b, err)
	id := func(k desiredstate.Key) uint32 { x, _ := r.Of(k); return x.ID }
	b.Run("engine", func(b *testing.B) { kindrig.EngineStages(b, e, nil, base, all) })
	h := kindrig.NewHand(b, socket)
	var adds, dels []api.Message
	for n := range many {
		p := abf.AbfPolicy{PolicyID: uint32(n), ACLIndex: id(acl.SetKey(fmt.Sprint("set", n))), NPaths: 1, Paths: []fib_types.FibPath{{SwIfIndex: id(vppnet.InterfaceKey("out")), Weight: 1}}}
		p.Paths[0].Nh.Address.SetIP4(hop(false, n%200).As4())
		a := abf.AbfItfAttach{PolicyID: uint32(n), SwIfIndex: interface_types.InterfaceIndex(id(vppnet.InterfaceKey(fmt.Sprint("in", n%ports)))), Priority: uint32(n)}
		adds = append(adds, &abf.AbfPolicyAddDel{IsAdd: true, Policy: p}, &abf.AbfItfAttachAddDel{IsAdd: true, Attach: a})
		dels = append(dels, &abf.AbfItfAttachAddDel{Attach: a}, &abf.AbfPolicyAddDel{Policy: p})
	}
	b.Run("hand", func(b *testing.B) {
		kindrig.Stages(b, len(all), nil,
			func() { h.Ask(b, adds...) },
			func() {
				h.Read(b, &abf.AbfPolicyDump{}, &abf.AbfPolicyDetails{}, many)
				h.Read(b, &abf.AbfItfAttachDump{}, &abf.AbfItfAttachDetails{}, many)
			},
			func() { h.Ask(b, dels...) })
	})
}
