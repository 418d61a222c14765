// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
)

// BenchmarkAFloatingIPMoves is what it costs to hear of another address of a floating IP, among so many
// routers of one external network: what the agent makes of keys, without VPP.
func BenchmarkAFloatingIPMoves(b *testing.B) {
	for _, routers := range []int{8, 80, 800} {
		b.Run(fmt.Sprintf("routers=%d", routers), func(b *testing.B) {
			site := translate.Site{Host: "h1", Physnets: map[string]string{"physnet1": nic}, Dir: b.TempDir()}
			box := wants.New(site, desiredstate.NewStore(), slog.New(slog.DiscardHandler))
			put := func(name, value string) { box.Put(site.Routers()+name, []byte(value), true) }
			for n := 1; n <= routers; n++ {
				put(legKey(n, 100+n), leg(n, 100+n, "192.168.1.1/24"))
				put(exitKey(n), exit(n, 4000, fmt.Sprintf("203.0.%d.%d/16", 100+n/200, 1+n%200), "203.0.0.1"))
				put(floatKey(n), float(4000, 100+n, fmt.Sprintf("203.0.%d.%d", n/200, 2+n%200), "192.168.1.2"))
			}
			box.Settled(true)
			require.NoError(b, box.Unserved("none"))
			for i := 0; b.Loop(); i++ {
				put(floatKey(1), float(4000, 101, fmt.Sprintf("203.0.99.%d", 1+i%200), "192.168.1.2"))
				box.Settled(false)
			}
		})
	}
}
