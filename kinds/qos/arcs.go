// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"context"
	"fmt"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/feature"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/policer"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

var (
	deviceInput = []iface.Feature{{Arc: "device-input", End: "ethernet-input", Name: "policer-input"}}
	packetInput = []iface.Feature{{Arc: "ip4-unicast", End: "ip4-lookup", Name: "policer-input"}, {Arc: "ip6-unicast", End: "ip6-lookup", Name: "policer-input"}} // from 26.06 on
	output      = []iface.Feature{{Arc: "ip4-output", End: "interface-output", Name: "policer-output"}, {Arc: "ip6-output", End: "interface-output", Name: "policer-output"}}
)

// input is where this VPP has policers measure what comes in. Of local0, which no policer
// is on, a VPP from 26.06 on says so; before, that it has no such feature, which looks as
// if it were on.
func (k *attachments) input(ctx context.Context) ([]iface.Feature, error) {
	if known := k.in.Load(); known != nil {
		return *known, nil
	}
	in := &deviceInput
	if iface.Asks(k.c) {
		on, err := iface.AreOn(ctx, k.c, packetInput[:1], 0)
		if err != nil {
			return nil, err
		}
		if !on[0][0] {
			in = &packetInput
		}
	}
	k.in.Store(in)
	return *in, nil
}

// on says of interfaces whether something measures what comes in, and what goes out.
func (k *attachments) on(ctx context.Context, ids ...uint32) ([][2]bool, error) {
	in, err := k.input(ctx)
	if err != nil {
		return nil, err
	}
	features := append(append([]iface.Feature(nil), in...), output...)
	all, err := iface.AreOn(ctx, k.c, features, ids...)
	out := make([][2]bool, len(all))
	for i, on := range all {
		for n, x := range on {
			if way := 0; x {
				if n >= len(in) {
					way = 1
				}
				out[i][way] = true
			}
		}
	}
	return out, err
}

// turn is for all that is said of policers of an interface.
func (k *attachments) turn(ctx context.Context, id uint32) (done func(), err error) {
	return k.c.Turn(ctx, desiredstate.Key{Space: "policed", Name: fmt.Sprint(id)})
}

// stacked is how often something can be on that is turned off all the same.
const stacked = 8

// off turns measuring off, as often as it is on.
func (k *attachments) off(ctx context.Context, id uint32, out bool) error {
	features, index := output, interface_types.InterfaceIndex(id)
	var requests []api.Message
	if !out {
		var err error
		if features, err = k.input(ctx); err != nil {
			return err
		}
		if features[0] == deviceInput[0] {
			requests = append(requests, &interfaces.SwInterfaceDump{SwIfIndex: index})
		}
	}
	for _, f := range features {
		requests = append(requests, &feature.FeatureEnableDisable{ArcName: f.Arc, FeatureName: f.Name, SwIfIndex: index})
		if iface.Asks(k.c) {
			requests = append(requests, &feature.FeatureIsEnabled{ArcName: f.Arc, FeatureName: f.Name, SwIfIndex: index})
		}
	}
	for range stacked {
		answers, err := vppnet.Ask(ctx, k.c, requests...)
		if err != nil {
			return err
		}
		on := !iface.Asks(k.c)
		for _, m := range answers {
			switch r := m.(type) {
			case *interfaces.SwInterfaceDetails:
				if r.SupSwIfIndex != id {
					return fmt.Errorf("%w: it is a sub-interface, and this VPP measures what comes in from devices: attach the policer to its parent", desiredstate.ErrInvalid)
				}
			case *feature.FeatureEnableDisableReply:
				if err := api.RetvalToVPPApiError(r.Retval); err != nil {
					return fmt.Errorf("feature_enable_disable: %w", err)
				}
			case *feature.FeatureIsEnabledReply: // right after it was set: there is something to tell
				on = on || r.IsEnabled
			}
		}
		if !on {
			return nil
		}
	}
	if iface.Asks(k.c) {
		return fmt.Errorf("%w: policers are on more than %d times: somebody else puts them there", desiredstate.ErrConflict, stacked)
	}
	return nil
}

// apply tells VPP that a policer measures, or is to be forgotten. Only with its name it
// cannot be another one that has its index by now.
func (k *attachments) apply(ctx context.Context, id uint32, out bool, name string, on bool) (err error) {
	vpp, err := nameInVPP(k.c, name)
	if err != nil {
		return err
	}
	if out {
		_, err = k.vpp.PolicerOutput(ctx, &policer.PolicerOutput{Name: vpp, SwIfIndex: interface_types.InterfaceIndex(id), Apply: on})
	} else {
		_, err = k.vpp.PolicerInput(ctx, &policer.PolicerInput{Name: vpp, SwIfIndex: interface_types.InterfaceIndex(id), Apply: on})
	}
	return err
}

// nameInVPP is what VPP calls a policer of ours, of another owner, or of nobody.
func nameInVPP(c *vppnet.Conn, name string) (string, error) {
	if vpp, nobodys := strings.CutPrefix(name, vppnet.Foreign("")); nobodys {
		return vpp, nil
	}
	if strings.Contains(name, "/") {
		return name, nil
	}
	return c.Tag(name)
}
