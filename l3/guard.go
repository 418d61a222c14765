// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// checkEthernet reports why no frame can be sent by the interface with this index.
func checkEthernet(ctx context.Context, c *vppnet.Conn, index uint32) error {
	switch index {
	case place.Local0:
		return place.ErrLocal0
	case place.None:
		return fmt.Errorf("%w: index %d is VPP's word for none: %w", desiredstate.ErrInvalid, index, api.INVALID_SW_IF_INDEX)
	}
	return iface.CheckMAC(ctx, c, index)
}
