// SPDX-License-Identifier: Apache-2.0

package iface

import (
	"context"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/feature"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/vppnet"
)

// A Feature is on or off on an interface, in an arc whose end is never on: VPP says of an
// interface that nothing was ever set for that all is on.
type Feature struct{ Arc, End, Name string }

// Asks says whether VPP can be asked which features are on (feature_is_enabled, from 25.06
// on); without a VPP, that it can.
func Asks(c *vppnet.Conn) bool {
	m := &feature.FeatureIsEnabled{}
	return c == nil || c.Has(m.GetMessageName()+"_"+m.GetCrcString())
}

// AreOn asks whether features are on, of each interface all.
func AreOn(ctx context.Context, c *vppnet.Conn, features []Feature, ids ...uint32) ([][]bool, error) {
	var requests []api.Message
	for _, id := range ids {
		for _, f := range features {
			for _, name := range []string{f.End, f.Name} {
				requests = append(requests, &feature.FeatureIsEnabled{ArcName: f.Arc, FeatureName: name, SwIfIndex: interface_types.InterfaceIndex(id)})
			}
		}
	}
	on, err := vppnet.AskEach[*feature.FeatureIsEnabledReply](ctx, c, requests...)
	if err != nil {
		return nil, err
	}
	out := make([][]bool, len(ids))
	for i := range ids {
		out[i] = make([]bool, len(features))
		for n := range features {
			end, x := on[2*(i*len(features)+n)], on[2*(i*len(features)+n)+1]
			out[i][n] = x.IsEnabled && !end.IsEnabled
		}
	}
	return out, nil
}
