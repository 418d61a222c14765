// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"fmt"
	"strings"
)

// maxRef is as long as a name in VPP can be.
const maxRef = 63

// checkRef reports why name cannot be that of something that a spec refers to,
// ours or foreign.
func checkRef(what, name string) error {
	if name == "" || len(name) > maxRef || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("%s %q: want a name of 1 to %d bytes", what, name, maxRef)
	}
	return nil
}
