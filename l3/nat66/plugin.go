// SPDX-License-Identifier: Apache-2.0

package nat66

import (
	"context"
	"errors"

	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/nat66"
)

// off is VPP's answer where NAT66 is off, and to who turns it on where it is on.
const off = api.VPPApiError(1)

// on does something in NAT66, which it turns on if it is off.
func on(ctx context.Context, vpp binding.RPCService, do func() error) error {
	err := do()
	if !errors.Is(err, off) {
		return err
	}
	if _, err := vpp.Nat66PluginEnableDisable(ctx, &binding.Nat66PluginEnableDisable{Enable: true}); err != nil && !errors.Is(err, off) {
		return err
	}
	return do()
}
