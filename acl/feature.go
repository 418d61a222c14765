// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"errors"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/desiredstate"
)

// everywhere asks a dump for all interfaces.
const everywhere = ^interface_types.InterfaceIndex(0)

// Input features of an interface on L2, as l2_flags shows them. They are on also
// while an interface that was not bridged yet is not, and are lost when one that
// was goes to L3.
const (
	featMACIP = 0x2000
	featACL   = 0x8000
)

// readFeatures asks for those of each object's interface, many at a time. That of
// an interface that is gone has all.
func readFeatures[S desiredstate.Object](ctx context.Context, vpp l2.RPCService, of []desiredstate.Actual[S]) ([]uint32, error) {
	out := make([]uint32, len(of))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(64)
	for i, a := range of {
		g.Go(func() error {
			r, err := vpp.L2Flags(ctx, &l2.L2Flags{SwIfIndex: interface_types.InterfaceIndex(a.ID), IsSet: true})
			if errors.Is(err, api.INVALID_SW_IF_INDEX) {
				out[i] = ^uint32(0)
				return nil
			}
			if err != nil {
				return err
			}
			out[i] = r.ResultingFeatureBitmap
			return nil
		})
	}
	return out, g.Wait()
}
