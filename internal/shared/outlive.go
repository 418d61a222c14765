// SPDX-License-Identifier: Apache-2.0

package shared

import (
	"context"
	"time"
)

// Outlive is ctx for what has to be put right though ctx may have ended, and that may well be why. It
// has a bound of its own.
func Outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}
