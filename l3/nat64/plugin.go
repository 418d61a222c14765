// SPDX-License-Identifier: Apache-2.0

package nat64

import (
	"context"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/nat64"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// Sizes are those of VPP's hash tables, fixed when NAT64 is turned on, by whichever kind comes
// to it first; VPP shows them to nobody. The zero value is VPP's default. More buckets than
// MaxBuckets are refused.
type Sizes struct {
	Mappings       uint32 // buckets, each for ten ports of hosts that are in use; 0: 1024
	MappingsMemory uint32 // bytes; 0: 128 MB
	Sessions       uint32 // buckets, each for ten sessions; 0: 2048
	SessionsMemory uint32 // bytes; 0: 256 MB
}

// MaxBuckets bounds those of Sizes. VPP takes 16 bytes of its main heap (1 GB if its startup.conf
// does not say more) for each, not before the first mapping or session, and ends itself if it lacks that.
const MaxBuckets = 1 << 22

func (s Sizes) check() error {
	if most := max(s.Mappings, s.Sessions); most > MaxBuckets {
		return fmt.Errorf("%w: %d buckets of NAT64, want at most %d", desiredstate.ErrInvalid, most, MaxBuckets)
	}
	return nil
}

// power turns NAT64 on, once for all who need that at once. Who asks something of its mappings
// while it is off kills VPP.
type power struct {
	*shared.Round[struct{}]
}

// onAlready is VPP's answer to who turns on what is on.
const onAlready = api.VPPApiError(1)

func newPower(c *vppnet.Conn, s Sizes) power {
	vpp := binding.NewServiceClient(c)
	return power{shared.NewRound(func(ctx context.Context) (none struct{}, err error) {
		if err = s.check(); err != nil {
			return none, err
		}
		_, err = vpp.Nat64PluginEnableDisable(ctx, &binding.Nat64PluginEnableDisable{
			Enable: true, BibBuckets: s.Mappings, BibMemorySize: s.MappingsMemory, StBuckets: s.Sessions, StMemorySize: s.SessionsMemory,
		})
		if errors.Is(err, onAlready) {
			err = nil
		}
		return none, err
	})}
}

// on has NAT64 be on.
func (p power) on(ctx context.Context) error {
	_, err := p.Join(ctx)
	return err
}
