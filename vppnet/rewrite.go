// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"fmt"
	"slices"

	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
)

// Rewrite is what a bridged sub-interface does to the VLAN tags of the frames
// that come in through it; to those that go out it does the reverse. The zero
// value leaves them as they are.
type Rewrite struct {
	Op     RewriteOp
	Dot1ad bool   // the outer pushed tag is 802.1ad, not 802.1Q
	Tag1   uint16 // VLAN of the outer pushed tag
	Tag2   uint16 // VLAN of the inner one, where two are pushed
}

// RewriteOp is what a Rewrite does. In JSON it is its text. Its value is that
// of vtr_op in VPP's API.
type RewriteOp uint8

// The comments give the text.
const (
	NoRewrite   RewriteOp = iota // ""
	Push1                        // push-1
	Push2                        // push-2
	Pop1                         // pop-1
	Pop2                         // pop-2
	Translate11                  // translate-1-1: pop one, push one
	Translate12                  // translate-1-2: pop one, push two
	Translate21                  // translate-2-1
	Translate22                  // translate-2-2
)

var rewriteOps = []string{"", "push-1", "push-2", "pop-1", "pop-2", "translate-1-1", "translate-1-2", "translate-2-1", "translate-2-2"}

// String returns VPP's word for it: "pop-1".
func (o RewriteOp) String() string {
	if int(o) < len(rewriteOps) {
		return rewriteOps[o]
	}
	return fmt.Sprintf("RewriteOp(%d)", uint8(o))
}

// MarshalText is String.
func (o RewriteOp) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (o *RewriteOp) UnmarshalText(b []byte) error {
	n := slices.Index(rewriteOps, string(b))
	if n < 0 {
		return fmt.Errorf("no such tag rewrite: %q, want one of %q", b, rewriteOps[1:])
	}
	*o = RewriteOp(n)
	return nil
}

// pops and pushes count tags.
func (o RewriteOp) pops() int {
	if int(o) >= len(rewriteOps) {
		return 0
	}
	return []int{0, 0, 0, 1, 2, 1, 1, 2, 2}[o]
}

func (o RewriteOp) pushes() int {
	if int(o) >= len(rewriteOps) {
		return 0
	}
	return []int{0, 1, 2, 0, 0, 1, 2, 1, 2}[o]
}

// check reports what is wrong with the rewrite of frames that have so many tags.
func (r Rewrite) check(tags int) error {
	if int(r.Op) >= len(rewriteOps) {
		return fmt.Errorf("rewrite: no such operation: %v", r.Op)
	}
	if r.Op.pops() > tags {
		return fmt.Errorf("rewrite: %s of frames with %d tag", r.Op, tags)
	}
	for n, tag := range []uint16{r.Tag1, r.Tag2} {
		switch pushed := n < r.Op.pushes(); {
		case pushed && (tag < 1 || tag > 4094):
			return fmt.Errorf("rewrite: %s with VLAN %d, want 1 to 4094", r.Op, tag)
		case !pushed && tag != 0:
			return fmt.Errorf("rewrite: %q does not push VLAN %d", r.Op, tag)
		}
	}
	if r.Dot1ad && r.Op.pushes() == 0 {
		return fmt.Errorf("rewrite: %q pushes no 802.1ad tag", r.Op)
	}
	return nil
}

// readRewrite takes the rewrite from an interface's details, which show
// leftovers in the fields that the operation does not use.
func readRewrite(d *interfaces.SwInterfaceDetails) Rewrite {
	r := Rewrite{Op: RewriteOp(min(d.VtrOp, 255))}
	if n := r.Op.pushes(); n > 0 {
		r.Dot1ad = d.VtrPushDot1q == 0
		r.Tag1 = uint16(d.VtrTag1)
		if n > 1 {
			r.Tag2 = uint16(d.VtrTag2)
		}
	}
	return r
}

// rewrite sets what an interface does to tags, whatever it did before.
func (c *Conn) rewrite(ctx context.Context, id uint32, r Rewrite) error {
	req := &l2.L2InterfaceVlanTagRewrite{
		SwIfIndex: interface_types.InterfaceIndex(id), VtrOp: uint32(r.Op), Tag1: uint32(r.Tag1), Tag2: uint32(r.Tag2),
	}
	if r.Op.pushes() > 0 && !r.Dot1ad {
		req.PushDot1q = 1
	}
	_, err := l2.NewServiceClient(c).L2InterfaceVlanTagRewrite(ctx, req)
	return err
}
