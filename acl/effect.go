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

// bridging are the L2 features of a port without filters: the first ten of VPP's list, of
// which learning is the last.
const bridging = 1<<10 - 1

// An effect finds out which of the L2 features that l2_flags shows is that of a filter:
// it is on while the filter is in the datapath, also while an interface that was not
// bridged yet is not, and is lost when one that was goes to L3.
//
// VPP numbers features by their place in a list that grows from release to release, and
// has no message that names them. So it is learned from what is on after a filter was
// bound, and was not before: the first binding tells it, nothing is written or read for
// it later, and each is only believed as long as others agree. Until then a filter is
// lost if nothing is on but what bridging sets. Where that is another feature, or VPP will
// have put one before those, nothing is said. What is on where no filter is bound tells
// nothing: after a list of ethertypes was taken from a bound interface, VPP leaves the
// feature on when the sets go.
//
// So nothing that is in effect is ever taken for lost; and should VPP show, several times,
// what cannot be, nothing is said any more, rather than bind the same again and again.
//
// The zero value knows nothing. Safe for concurrent use.
type effect struct {
	mu   sync.Mutex
	busy bool   // somebody is finding out
	may  uint32 // what it can be; 0: any but bridging
	odds int    // how often it was another
}

// maxOdds is how often an effect may be mistaken. Once can be: somebody else's change of
// an interface came right between ours and a look at it.
const maxOdds = 2

// bound tells the features of an interface right before and after a filter was bound;
// first says that it had none before.
func (e *effect) bound(before, after uint32, first bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	on := after &^ bridging
	if gained := on &^ before; first && gained != 0 {
		on = gained
	}
	switch {
	case e.may == 0 && on != 0:
		e.may = on
	case e.may&on != 0:
		e.may &= on
	default:
		e.may = on
		e.odds++
	}
}

// noEffect is what is wrong with sets that are bound and off the datapath.
const noEffect = "it is bound, and has no effect on L2"

// lost says whether these features are certainly those of an interface on which the
// filter has no effect.
func (e *effect) lost(features uint32) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	may := e.may
	if may == 0 {
		may = ^uint32(bridging)
	}
	return e.odds <= maxOdds && features&may == 0
}

// begin says whether to find out: there is something left, and nobody is about to. Who
// does says when it is over.
func (e *effect) begin() (over func(), ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy || bits.OnesCount32(e.may) == 1 {
		return nil, false
	}
	e.busy = true
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.busy = false
	}, true
}

// watch binds a filter, and looks at what features that brings, unless there is nothing to
// find out and nothing to mend. An interface has one filter bound at a time, lest the
// feature of another be taken for this one's.
func (e *effect) watch(ctx context.Context, c *vppnet.Conn, index interface_types.InterfaceIndex, first, mend bool, bind func() error) error {
	done, err := c.Turn(ctx, desiredstate.Key{Space: "acl-filtered", Name: vppnet.Foreign(fmt.Sprint(index))})
	if err != nil {
		return err
	}
	defer done()
	if over, ok := e.begin(); ok {
		defer over()
	} else if !mend {
		return bind()
	}
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

// askFeatures asks for the features of an interface: it sets none.
func askFeatures(index interface_types.InterfaceIndex) *l2.L2Flags {
	return &l2.L2Flags{SwIfIndex: index, IsSet: true}
}

// readFeature asks for the features of one interface.
func readFeature(ctx context.Context, c *vppnet.Conn, index interface_types.InterfaceIndex) (uint32, error) {
	r, err := l2.NewServiceClient(c).L2Flags(ctx, askFeatures(index))
	if err != nil {
		return 0, err
	}
	return r.ResultingFeatureBitmap, nil
}
