// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// decoder is a tap service whose port decodes ERSPAN; two with one number want one interface.
func decoder(port string, number int) string {
	return fmt.Sprintf(`{"tap_service":{"port_id":%q,"erspan_dst_ip":"192.0.2.9"},"taas_id":%d,"dest_type":"ERSPAN_INT"}`, port, number)
}

// A service that wants what another one has comes when that goes, in one burst or later, and somebody is told.
func TestARefusedServiceComes(t *testing.T) {
	one, two := translate.TapServices+uid(8), translate.TapServices+uid(7)
	for _, bursts := range []int{1, 2} {
		t.Run(fmt.Sprint(bursts), func(t *testing.T) {
			b := newBox(t, node)
			told := map[string]bool{}
			b.Moved = func(source string) { told[source] = true }
			for n := 1; n <= 2; n++ {
				b.put(node.Ports()+uid(n), portIn(n, 101))
			}
			b.put(node.Keys()+one, decoder(uid(1), 500))
			b.settle()
			b.put(node.Keys()+two, decoder(uid(2), 500))
			if bursts == 2 {
				b.settle()
				_, _, wrong := b.LookTap(two)
				require.Error(t, wrong)
			}
			clear(told)
			b.put(node.Keys()+one, "")
			b.settle()
			_, served, wrong := b.LookTap(two)
			require.NoError(t, wrong)
			require.True(t, served)
			require.True(t, told[OfUnserved(two)])
		})
	}
}
