// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"fmt"
	"math/bits"
	"sync"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// An effect finds out which of the L2 features that l2_flags shows is that of a filter:
// it is on while the filter is in the datapath, also while an interface that was not
// bridged yet is not, and is lost when one that was goes to L3.
//
// VPP numbers features by their place in a list that grows from release to release, and
// has no message that names them. So nothing is known at first but that it is one of
// them, and what VPP shows rules out others: a feature that is off right after a filter
// was bound, or on where none is bound, is another. Nothing is written to find that out,
// and nothing asked once one is left. A filter is lost for certain if all that its
// feature can still be are off; else nothing is said. After a filter was bound again
// what is on is among them, so that no binding is found lost for ever, whatever VPP
// shows.
//
// The zero value knows nothing. Safe for concurrent use.
type effect struct {
	mu    sync.Mutex
	not   uint32 // what it is not
	doubt bool   // what it was taken for was wrong: only what is bound by us says more
}

// absent tells the features of an interface without such a filter.
func (e *effect) absent(features uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.doubt {
		e.rule(features)
	}
}

// bound tells the features of an interface right before and after a filter was bound;
// first says that it had none before.
func (e *effect) bound(before, after uint32, first bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	on := after
	if gained := after &^ before; first && gained != 0 {
		on = gained
	}
	if on != 0 && !e.rule(^on) {
		e.not, e.doubt = ^on, true
	}
}

// rule rules features out, unless none would be left.
func (e *effect) rule(out uint32) bool {
	if e.not|out == ^uint32(0) {
		e.doubt = true
		return false
	}
	e.not |= out
	return true
}

// lost says whether these features are certainly those of an interface on which the
// filter has no effect.
func (e *effect) lost(features uint32) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return features&^e.not == 0
}

// known says that there is nothing left to find out.
func (e *effect) known() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return bits.OnesCount32(^e.not) == 1
}

// watch binds a filter, and looks at what features that brings, unless there is nothing to
// find out and nothing to mend. An interface has one filter bound at a time meanwhile.
func (e *effect) watch(ctx context.Context, c *vppnet.Conn, index interface_types.InterfaceIndex, first, mend bool, bind func() error) error {
	if e.known() && !mend {
		return bind()
	}
	done, err := c.Turn(ctx, desiredstate.Key{Space: "acl-filtered", Name: fmt.Sprint(index)})
	if err != nil {
		return err
	}
	defer done()
	before, err := readFeature(ctx, c, index)
	if err != nil {
		return err
	}
	if err := bind(); err != nil {
		return err
	}
	after, err := readFeature(ctx, c, index)
	if err == nil {
		e.bound(before, after, first)
	}
	return err
}

// readFeature asks for the features of one interface: it sets none.
func readFeature(ctx context.Context, c *vppnet.Conn, index interface_types.InterfaceIndex) (uint32, error) {
	r, err := l2.NewServiceClient(c).L2Flags(ctx, &l2.L2Flags{SwIfIndex: index, IsSet: true})
	if err != nil {
		return 0, err
	}
	return r.ResultingFeatureBitmap, nil
}
