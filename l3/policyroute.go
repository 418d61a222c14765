// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/abf"
	"go.fd.io/govpp/binapi/fib_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// PolicyRoute sends packets that a set of rules permits the way of its paths, whatever the table of
// the interface says by which they came. A PolicyAttachment says which interfaces that are. What
// the set denies, or says nothing of, is routed as ever.
type PolicyRoute struct {
	Set   string // an acl.Set of ours; it has one of each family
	IPv6  bool   // of IPv6; not of IPv4
	Paths []Path // as a CrossConnect's; no two that differ by weight or preference only

	number uint32 // of one that is not ours, and therefore called by it; 0 otherwise
}

// PolicyRouteKey is the key of a PolicyRoute of ours.
func PolicyRouteKey(set string, ipv6 bool) desiredstate.Key {
	return desiredstate.Key{Space: policySpace, Name: set + " " + inet.Family(ipv6)}
}

const (
	policySpace = "policy-route"
	setSpace    = "acl" // of acl.SetKey
)

// Key is PolicyRouteKey(p.Set, p.IPv6).
func (p PolicyRoute) Key() desiredstate.Key {
	if p.number != 0 {
		return desiredstate.Key{Space: policySpace, Name: vppnet.Foreign(strconv.FormatUint(uint64(p.number), 10))}
	}
	return PolicyRouteKey(p.Set, p.IPv6)
}

// Deps lists the set, and interfaces and tables of the paths: VPP keeps a policy by an interface that
// has gone, and cannot be told to forget it.
func (p PolicyRoute) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{{Space: setSpace, Name: p.Set}}
	for _, path := range p.Paths {
		deps = path.deps(deps)
	}
	return deps
}

// Validate checks name and paths.
func (p PolicyRoute) Validate() error {
	if err := vppnet.CheckName(p.Set); err != nil {
		return fmt.Errorf("set: %w", err)
	}
	if err := checkWays(p.IPv6, p.Paths); err != nil {
		return err
	}
	seen := map[Path]bool{}
	for i, path := range p.Paths {
		path = path.normal(everything(p.IPv6))
		if path.Weight, path.Preference = 0, 0; seen[path] {
			return fmt.Errorf("path %d is there already, by another preference: VPP takes them for one", i)
		}
		seen[path] = true
	}
	return nil
}

// PolicyRoutes manages policies of VPP's abf plugin on sets of ours (abf_policy_add_del). The kind of
// the sets, acl.Sets(c), is needed to find them. All that changes replaces, and takes the policy's
// attachments away meanwhile.
//
// VPP keeps a number of a policy, and no tag, so the number is ours: made of owner, set and family.
// A VPP dies of a policy that is given a path which it has, or that loses its last one while an
// interface has it; so two processes of one owner must not make the same policy at one time, and
// one that somebody else gave to an interface is not removed (ErrInUse).
func PolicyRoutes(c *vppnet.Conn, sets desiredstate.AnyKind) *desiredstate.Kind[PolicyRoute] {
	k := policies{c: c, vpp: abf.NewServiceClient(c)}
	k.attached = shared.NewRound(k.attachments)
	return &desiredstate.Kind[PolicyRoute]{
		Target:   c.Target(),
		Name:     "policy-route",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c), Tables(c), sets},
		Messages: c.Uses(&abf.AbfPolicyAddDel{}, &abf.AbfPolicyDump{}, &abf.AbfItfAttachDump{}),
		Dump:     vppnet.Reread(c, k.dump),
		Check:    func(v *desiredstate.View, p PolicyRoute) error { return checkTables(v, p.IPv6, p.Paths) },
		Foresee: func(_ context.Context, v *desiredstate.View, _ uint32, p PolicyRoute) error {
			_, err := wireWays(v, p.IPv6, p.Paths)
			return err
		},
		Create: k.create,
		Delete: k.delete,
		Verify: k.verify,
		Fill: func(have desiredstate.Actual[PolicyRoute], want PolicyRoute) PolicyRoute {
			if samePaths(everything(want.IPv6), have.Spec.Paths, want.Paths) {
				want.Paths = have.Spec.Paths
			}
			return want
		},
	}
}

type policies struct {
	c        *vppnet.Conn
	vpp      abf.RPCService
	attached *shared.Round[map[uint32]uint32]
}

// attachments are the policies that interfaces have, each with the index of one.
func (k policies) attachments(ctx context.Context) (map[uint32]uint32, error) {
	all, err := vppnet.Collect(k.vpp.AbfItfAttachDump(ctx, &abf.AbfItfAttachDump{}))
	out := make(map[uint32]uint32, len(all))
	for _, a := range all {
		out[a.Attach.PolicyID] = uint32(a.Attach.SwIfIndex)
	}
	return out, err
}

// numbers are those that a policy of ours can have, by the name of its key.
func (k policies) numbers(name string) []uint32 { return k.c.Numbers(policySpace + "/" + name) }

func (k policies) list(ctx context.Context) ([]*abf.AbfPolicyDetails, error) {
	return vppnet.Collect(k.vpp.AbfPolicyDump(ctx, &abf.AbfPolicyDump{}))
}

func (k policies) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[PolicyRoute], err error) {
	all, err := k.list(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[desiredstate.Key]bool{}
	for _, d := range all {
		a := desiredstate.Actual[PolicyRoute]{ID: d.Policy.PolicyID, Note: d.Policy.Paths}
		a.Spec.IPv6, a.Spec.Paths = readWays(v, d.Policy.Paths)
		name, ours := v.Owned(setSpace, d.Policy.ACLIndex)
		if name == "" {
			name = vppnet.Foreign(strconv.FormatUint(uint64(d.Policy.ACLIndex), 10))
		}
		a.Spec.Set = name
		key := a.Spec.Key()
		a.Foreign = !ours || !slices.Contains(k.numbers(key.Name), a.ID)
		a.Leftover = !a.Foreign && seen[key]
		if seen[key] = seen[key] || !a.Foreign; a.Foreign || a.Leftover {
			a.Spec.number = a.ID
		}
		out = append(out, a)
	}
	return out, nil
}

func (k policies) create(ctx context.Context, v *desiredstate.View, p PolicyRoute) (uint32, error) {
	set, err := v.ID(desiredstate.Key{Space: setSpace, Name: p.Set})
	if err != nil {
		return 0, err
	}
	ways, err := wireWays(v, p.IPv6, p.Paths)
	if err != nil {
		return 0, err
	}
	for _, number := range k.numbers(p.Key().Name) {
		if _, taken := v.Name(policySpace, number); taken { // VPP would add to it
			continue
		}
		_, err := k.vpp.AbfPolicyAddDel(ctx, &abf.AbfPolicyAddDel{IsAdd: true, Policy: abf.AbfPolicy{PolicyID: number, ACLIndex: set, Paths: ways}})
		return number, err
	}
	return 0, errors.New("others have all numbers that the policy could have")
}

// delete takes away all paths, as VPP listed them if it did.
func (k policies) delete(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[PolicyRoute]) error {
	attached, err := k.attached.Join(ctx)
	if err != nil {
		return err
	}
	if on, has := attached[have.ID]; has {
		return fmt.Errorf("%w: the interface with index %d has the policy", desiredstate.ErrInUse, on)
	}
	ways, listed := have.Note.([]fib_types.FibPath)
	if !listed {
		if ways, err = wireWays(v, have.Spec.IPv6, have.Spec.Paths); err != nil {
			return err
		}
	}
	_, err = k.vpp.AbfPolicyAddDel(ctx, &abf.AbfPolicyAddDel{Policy: abf.AbfPolicy{PolicyID: have.ID, Paths: ways}})
	return vppnet.Gone(err, api.INVALID_VALUE)
}

func (k policies) verify(ctx context.Context, held []desiredstate.Held) ([]bool, error) {
	all, err := k.list(ctx)
	if err != nil {
		return nil, err
	}
	there := map[uint32]bool{}
	for _, d := range all {
		there[d.Policy.PolicyID] = true
	}
	same := make([]bool, len(held))
	for i, h := range held {
		called := strings.HasPrefix(h.Key.Name, vppnet.Foreign("")) || slices.Contains(k.numbers(h.Key.Name), h.ID)
		same[i] = there[h.ID] && called
	}
	return same, nil
}

// policyKey is of a policy that an attachment names, which may be one of others.
func policyKey(set string, ipv6 bool) desiredstate.Key {
	if strings.HasPrefix(set, vppnet.Foreign("")) {
		return desiredstate.Key{Space: policySpace, Name: set}
	}
	return PolicyRouteKey(set, ipv6)
}

// checkPolicy checks how an attachment names a policy.
func checkPolicy(name string) error {
	if strings.HasPrefix(name, vppnet.Foreign("")) {
		return vppnet.CheckRef("policy", name)
	}
	return vppnet.CheckName(name)
}
