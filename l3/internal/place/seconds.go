// SPDX-License-Identifier: Apache-2.0

package place

import (
	"fmt"
	"math"
	"time"
)

// CheckSeconds reports a timeout that VPP cannot be told.
func CheckSeconds(timeouts ...time.Duration) error {
	for _, d := range timeouts {
		if d < 0 || d%time.Second != 0 || d/time.Second > math.MaxUint32 {
			return fmt.Errorf("timeout %v: want whole seconds, up to %d", d, uint32(math.MaxUint32))
		}
	}
	return nil
}
