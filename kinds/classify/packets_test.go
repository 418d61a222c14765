// SPDX-License-Identifier: Apache-2.0

//go:build linux

package classify_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Packets fare as tables say: by their sessions, by the next table, by the end of the chain,
// which is a label's; in both directions, and from either beginning of the mask.
func TestPackets(t *testing.T) {
	ns := netrig.New(t, "vpp")
	host := netrig.Host(t, "host", ns, "to-host", "10.77.1.2/24", "10.77.1.3/24", "10.77.1.4/24")
	c := kindrig.Dial(t, vpptest.Real(t, vpptest.InNetNS(string(ns))).Socket(), "me")
	r := rig{c, new(vppnet.Memory)}
	e := kindrig.Engine(append(r.kinds(), vppnet.HostInterfaces(c), l3.Tables(c), l3.Addresses(c))...)
	base := []desiredstate.Object{
		vppnet.HostInterface{Name: "leg", Device: "to-host"},
		vppnet.LinkState{Interface: "leg", Up: true},
		l3.Address{Interface: "leg", Prefix: netip.MustParsePrefix("10.77.1.1/24")},
	}
	from := func(reaches bool, source string) {
		t.Helper()
		if reaches {
			host.Reaches(t, "10.77.1.1", "-I", source)
		} else {
			host.Loses(t, "10.77.1.1", "-I", source)
		}
	}
	try := func(two, three, four bool, objects ...desiredstate.Object) {
		t.Helper()
		_, err := e.Sync(t.Context(), append(base[:3:3], objects...)...)
		require.NoError(t, err)
		from(two, "10.77.1.2")
		from(three, "10.77.1.3")
		from(four, "10.77.1.4")
	}
	at := func(offset int, last byte) classify.Pattern { return classify.At(offset, 10, 77, 1, last) }
	const sourceOf, sourceOfIP, destinationOfIP = 26, 12, 16
	known := classify.Table{Name: "known", Mask: classify.At(sourceOf, 255, 255, 255, 255), Sessions: 4, Deny: true}
	input := classify.Input{Interface: "leg", Table: "known"}
	try(true, true, true)
	try(true, false, false, known, classify.Session{Table: "known", Match: at(sourceOf, 2)}, input)
	known.Deny = false // in place
	try(true, true, true, known, classify.Session{Table: "known", Match: at(sourceOf, 2)}, input)
	try(true, false, true, known, classify.Session{Table: "known", Match: at(sourceOf, 3), Deny: true}, input)

	known.Deny = true
	first := classify.Table{Name: "first", Mask: classify.At(sourceOf, 255, 255, 255, 255), Next: "known"}
	input.Table = "first"
	try(true, true, false, known, first, classify.Session{Table: "known", Match: at(sourceOf, 2)}, classify.Session{Table: "first", Match: at(sourceOf, 3)}, input)

	header := classify.Table{Name: "header", Mask: classify.At(sourceOfIP, 255, 255, 255, 255), Header: true, Deny: true}
	input.Table = "header"
	try(false, true, false, header, classify.Session{Table: "header", Match: at(sourceOfIP, 3)}, input)

	out := classify.Table{Name: "out", Mask: classify.At(destinationOfIP, 255, 255, 255, 255), Deny: true}
	try(false, false, true, out, classify.Session{Table: "out", Match: at(destinationOfIP, 4)}, classify.Output{Interface: "leg", Table: "out"})
	try(true, true, true)
}
