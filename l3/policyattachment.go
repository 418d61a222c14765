// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/abf"
	"go.fd.io/govpp/binapi/feature"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// PolicyAttachment has a PolicyRoute decide on what comes in by an interface. Of several, the one
// that permits a packet first decides.
type PolicyAttachment struct {
	Interface string
	Set       string // the PolicyRoute's, or "vpp:7" for a policy of others
	IPv6      bool   // of IPv6 packets, by the policy of IPv6
	Priority  uint32 // the lowest is asked first, at most 2147483647; those that are equal in any order
}

// lastPriority is the highest that sorts behind all others: VPP looks at the sign of the difference.
const lastPriority = 1<<31 - 1

// PolicyAttachmentKey is the key of a PolicyAttachment.
func PolicyAttachmentKey(iface, set string, ipv6 bool) desiredstate.Key {
	return desiredstate.Key{Space: "policy-attachment", Name: iface + " " + set + " " + inet.Family(ipv6)}
}

// Key is PolicyAttachmentKey(a.Interface, a.Set, a.IPv6).
func (a PolicyAttachment) Key() desiredstate.Key {
	return PolicyAttachmentKey(a.Interface, a.Set, a.IPv6)
}

// Deps lists interface and policy: VPP dies of one that is not there.
func (a PolicyAttachment) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(a.Interface), policyKey(a.Set, a.IPv6)}
}

// Validate checks names and priority.
func (a PolicyAttachment) Validate() error {
	if err := vppnet.CheckRef(place.InterfaceSpace, a.Interface); err != nil {
		return err
	}
	if err := checkPolicy(a.Set); err != nil {
		return fmt.Errorf("set: %w", err)
	}
	if a.Priority > lastPriority {
		return fmt.Errorf("priority %d, want at most %d: VPP would ask it before the lowest", a.Priority, lastPriority)
	}
	return nil
}

// PolicyAttachments manages which policies our interfaces have, those in tables of ours, and those
// that are claimed (abf_itf_attach_add_del). policies is PolicyRoutes(c, acl.Sets(c)). All that
// changes replaces. One of another family than its policy, which others can make, is not shown.
//
// VPP keeps what an interface had when that goes, and lists it for the next one with the same index,
// to no effect. Such a one of ours is seen, and put into effect, if VPP can be asked whether it is
// (from 25.06 on); for that, all that the interface has is set anew.
func PolicyAttachments(c *vppnet.Conn, policies desiredstate.AnyKind, claims ...vppnet.Claim) *desiredstate.Kind[PolicyAttachment] {
	k := policyAttachments{c, abf.NewServiceClient(c), claims}
	messages := []api.Message{&abf.AbfItfAttachAddDel{}, &abf.AbfItfAttachDump{}, &memclnt.ControlPing{}}
	if iface.Asks(c) {
		messages = append(messages, &feature.FeatureIsEnabled{})
	}
	return place.Looking(c, claims, func(a PolicyAttachment) bool { return a.IPv6 }, &desiredstate.Kind[PolicyAttachment]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "policy-attachment",
		Requires: append(Places(c), policies),
		Deps:     func(x PolicyAttachment) []desiredstate.Key { return place.Scope(claims).Deps(x.Interface) },
		Shares:   func(x PolicyAttachment) []desiredstate.Key { return vppnet.UseKeys(x.Interface) },
		Messages: c.Uses(messages...),
		Dump:     k.dump,
		Check: func(v *desiredstate.View, a PolicyAttachment) error {
			return place.Scope(claims).Check(v, a.Interface)
		},
		Create: k.create,
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[PolicyAttachment]) error {
			policy, err := v.ID(policyKey(have.Spec.Set, have.Spec.IPv6))
			if err != nil {
				return err
			}
			done, err := k.turn(ctx, have.ID)
			if err != nil {
				return err
			}
			defer done()
			return vppnet.Gone(k.send(ctx, false, abf.AbfItfAttach{
				PolicyID: policy, SwIfIndex: interface_types.InterfaceIndex(have.ID), IsIPv6: have.Spec.IPv6,
			}), api.NO_SUCH_ENTRY)
		},
	})
}

type policyAttachments struct {
	c      *vppnet.Conn
	vpp    abf.RPCService
	claims []vppnet.Claim
}

// turn is for what is said of all policies of an interface.
func (k policyAttachments) turn(ctx context.Context, id uint32) (done func(), err error) {
	return k.c.Turn(ctx, desiredstate.Key{Space: "policies-of", Name: fmt.Sprint(id)})
}

func (k policyAttachments) send(ctx context.Context, add bool, a abf.AbfItfAttach) error {
	_, err := k.vpp.AbfItfAttachAddDel(ctx, &abf.AbfItfAttachAddDel{IsAdd: add, Attach: a})
	return err
}

func (k policyAttachments) list(ctx context.Context) ([]*abf.AbfItfAttachDetails, error) {
	return vppnet.Collect(k.vpp.AbfItfAttachDump(ctx, &abf.AbfItfAttachDump{}))
}

// inEffect says of attachments whether they are; what VPP cannot be asked is.
func (k policyAttachments) inEffect(ctx context.Context, all ...abf.AbfItfAttach) ([]bool, error) {
	out := make([]bool, len(all))
	if !iface.Asks(k.c) {
		for i := range out {
			out[i] = true
		}
		return out, nil
	}
	var requests []api.Message
	for _, a := range all {
		arc, name := "ip4-unicast", "abf-input-ip4"
		if a.IsIPv6 {
			arc, name = "ip6-unicast", "abf-input-ip6"
		}
		requests = append(requests, &feature.FeatureIsEnabled{ArcName: arc, FeatureName: name, SwIfIndex: a.SwIfIndex})
	}
	on, err := vppnet.AskEach[*feature.FeatureIsEnabledReply](ctx, k.c, requests...)
	for i, r := range on {
		out[i] = r.IsEnabled
	}
	return out, err
}

func (k policyAttachments) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[PolicyAttachment], err error) {
	all, err := k.list(ctx)
	if err != nil {
		return nil, err
	}
	var shown []abf.AbfItfAttach
	for _, d := range all {
		id := uint32(d.Attach.SwIfIndex)
		i, there := desiredstate.At[vppnet.Interface](v, id)
		p, known := desiredstate.At[PolicyRoute](v, d.Attach.PolicyID)
		if !there || !known || p.Spec.IPv6 != d.Attach.IsIPv6 || !place.Scope(k.claims).In(v, id, TableOf(v, id, d.Attach.IsIPv6)) {
			continue
		}
		a := PolicyAttachment{Interface: i.Spec.Name, Set: p.Spec.Set, IPv6: d.Attach.IsIPv6, Priority: d.Attach.Priority}
		if p.Spec.number != 0 {
			a.Set = p.Spec.Key().Name
		}
		shown = append(shown, d.Attach)
		out = append(out, desiredstate.Actual[PolicyAttachment]{ID: id, Spec: a})
	}
	live, err := k.inEffect(ctx, shown...)
	for n := range live {
		if !live[n] {
			out[n].Broken = "it is listed, and has no effect"
		}
	}
	return out, err
}

func (k policyAttachments) create(ctx context.Context, v *desiredstate.View, a PolicyAttachment) (uint32, error) {
	id, err := place.Scope(k.claims).TakeStill(ctx, interfaces.NewServiceClient(k.c), v, a.Interface, a.IPv6)
	if err != nil {
		return 0, err
	}
	policy, err := v.ID(policyKey(a.Set, a.IPv6))
	if err != nil {
		return 0, err
	}
	done, err := k.turn(ctx, id)
	if err != nil {
		return 0, err
	}
	defer done()
	made := abf.AbfItfAttach{PolicyID: policy, SwIfIndex: interface_types.InterfaceIndex(id), Priority: a.Priority, IsIPv6: a.IPv6}
	if err := k.send(ctx, true, made); err != nil {
		return 0, err
	}
	live, err := k.inEffect(ctx, made)
	if err == nil && !live[0] {
		err = k.renew(ctx, made)
	}
	return id, err
}

// renew sets all anew that an interface has, of the family: the first one is put into effect, and VPP
// thought that the first one still was.
func (k policyAttachments) renew(ctx context.Context, of abf.AbfItfAttach) error {
	all, err := k.list(ctx)
	if err != nil {
		return err
	}
	var requests []api.Message
	for _, add := range []bool{false, true} {
		for _, d := range all {
			if d.Attach.SwIfIndex == of.SwIfIndex && d.Attach.IsIPv6 == of.IsIPv6 {
				requests = append(requests, &abf.AbfItfAttachAddDel{IsAdd: add, Attach: d.Attach})
			}
		}
	}
	return place.AtOnce(ctx, k.c, requests...)
}
