// SPDX-License-Identifier: Apache-2.0

package place

import (
	"context"
	"reflect"
	"strings"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// AtOnce is for what must not be done in part: something goes for a moment and comes again, perhaps somebody else's. All
// requests, which have one reply each, are sent before any is heard of: VPP does what it reads at once before it looks at packets, and
// who dies meanwhile, or gives up, has done all. The error is that of the first that VPP refuses.
func AtOnce(ctx context.Context, c *vppnet.Conn, requests ...api.Message) error {
	ctx, cancel := shared.Outlive(ctx)
	defer cancel()
	answers, err := vppnet.AskEach[api.Message](ctx, c, requests...)
	if err != nil {
		return err
	}
	for _, m := range answers {
		retval := int32(reflect.ValueOf(m).Elem().FieldByName("Retval").Int())
		if err := api.RetvalToVPPApiError(retval); err != nil {
			return &vppnet.Error{Message: strings.TrimSuffix(m.GetMessageName(), "_reply"), Retval: retval, Reply: m, Err: err}
		}
	}
	return nil
}
