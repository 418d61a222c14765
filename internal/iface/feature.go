// SPDX-License-Identifier: Apache-2.0

package iface

import (
	"context"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/feature"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// A Feature is on or off on an interface, in an arc whose end is never on: VPP says of an
// interface that nothing was ever set for that all is on.
type Feature struct{ Arc, End, Name string }

// Asks says whether VPP can be asked which features are on (feature_is_enabled, from 25.06
// on); without a VPP, that it can.
func Asks(c *vppnet.Conn) bool { return Knows(c, &feature.FeatureIsEnabled{}) }

// Knows says whether VPP has a message; without a VPP, that it does.
func Knows(c *vppnet.Conn, m api.Message) bool {
	return c == nil || c.Has(m.GetMessageName()+"_"+m.GetCrcString())
}

// Uses is Conn.Uses of these messages, and of that which asks for features where VPP can be asked.
func Uses(c *vppnet.Conn, messages ...api.Message) []string {
	if Asks(c) {
		messages = append(messages, &feature.FeatureIsEnabled{})
	}
	return c.Uses(messages...)
}

// AreOn asks whether features are on, of each interface all.
func AreOn(ctx context.Context, c *vppnet.Conn, features []Feature, ids ...uint32) ([][]bool, error) {
	var all []at
	for _, id := range ids {
		for _, f := range features {
			all = append(all, at{id, f})
		}
	}
	on, err := ask(ctx, c, all)
	if err != nil {
		return nil, err
	}
	out := make([][]bool, len(ids))
	for i := range ids {
		out[i] = on[i*len(features):][:len(features)]
	}
	return out, nil
}

// Broken says of what VPP lists, and whose feature is off, that it has no effect, if VPP can be
// asked: what VPP keeps of an interface that has gone it lists for the next one with its index.
func Broken[S desiredstate.Object](ctx context.Context, c *vppnet.Conn, listed []desiredstate.Actual[S], feature func(S) Feature) ([]desiredstate.Actual[S], error) {
	if !Asks(c) {
		return listed, nil
	}
	var all []at
	for _, a := range listed {
		all = append(all, at{a.ID, feature(a.Spec)})
	}
	on, err := ask(ctx, c, all)
	for n := range on {
		if !on[n] {
			listed[n].Broken = "it is listed, and has no effect"
		}
	}
	return listed, err
}

// at is a feature of an interface.
type at struct {
	id uint32
	Feature
}

func ask(ctx context.Context, c *vppnet.Conn, all []at) ([]bool, error) {
	var requests []api.Message
	for _, f := range all {
		for _, name := range []string{f.Name, f.End} {
			requests = append(requests, &feature.FeatureIsEnabled{ArcName: f.Arc, FeatureName: name, SwIfIndex: interface_types.InterfaceIndex(f.id)})
		}
	}
	replies, err := vppnet.AskEach[*feature.FeatureIsEnabledReply](ctx, c, requests...)
	if err != nil {
		return nil, err
	}
	on := make([]bool, len(all))
	for n := range all {
		on[n] = replies[2*n].IsEnabled && !replies[2*n+1].IsEnabled
	}
	return on, nil
}
