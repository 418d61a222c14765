// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_types"
	"go.fd.io/govpp/binapi/one"
	"go.fd.io/govpp/codec"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/vppnet"
)

// remotes are MACs of a network at a hundred other hosts, by GPE.
func remotes() *workload {
	const vni, hosts = 100, 100
	host := func(n int, changed bool) netip.Addr {
		if changed {
			n++
		}
		return netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + n%hosts)})
	}
	eid := func(n int) lisp_types.Eid {
		return lisp_types.Eid{Type: lisp_types.EID_TYPE_API_MAC, Address: lisp_types.EidAddressUnionMac(ethernet_types.MacAddress(macOf(n)))}
	}
	message := func(n int, changed, add bool) api.Message {
		m := &one.OneAddDelRemoteMapping{IsAdd: add, Vni: vni, Deid: eid(n)}
		if add {
			m.Action = 3 // drops what has no way
			m.Rlocs = []lisp_types.RemoteLocator{{IPAddress: ip_types.Address{Un: ip_types.AddressUnionIP4(host(n, changed).As4())}}}
		}
		return m
	}
	return &workload{
		name: "remotes", most: 100_000,
		base: []desiredstate.Object{gpe.Overlay{}, vppnet.BridgeDomain{Name: "net"}, gpe.VNI{ID: vni, Bridge: "net"}},
		kinds: func(c *vppnet.Conn) []desiredstate.AnyKind {
			return []desiredstate.AnyKind{gpe.Overlays(c), vppnet.BridgeDomains(c), gpe.VNIs(c), gpe.RemoteEIDs(c)}
		},
		numbers: func(func(desiredstate.Key) uint32) {},
		object: func(n int, changed bool) desiredstate.Object {
			return gpe.RemoteEID{VNI: vni, EID: gpe.MACEID(vppnet.MAC(macOf(n))), Locators: []gpe.RemoteLocator{{Address: host(n, changed)}}}
		},
		message: message,
		change: func(n int, changed bool) []api.Message { // what is under way goes where it did otherwise
			return []api.Message{&one.OneAddDelAdjacency{Vni: vni, Reid: eid(n), Leid: eid(n)}, message(n, changed, true)}
		},
		looks: 2, // whether it is elsewhere still
		moves: func(n int) bool { return n%10 == 0 },
		dumps: func(w *wire) []dump {
			var all []*lisp.LispEidTableDetails
			table := dumpOf(w, &lisp.LispEidTableDump{Filter: lisp.LISP_LOCATOR_SET_FILTER_API_REMOTE}, &all)
			return []dump{{table.send, func() error {
				if err := table.receive(); err != nil {
					return err
				}
				return locators(w, all)
			}}}
		},
	}
}

// locators reads where EIDs are, one after the other, as VPP does not say of whom it tells.
func locators(w *wire, all []*lisp.LispEidTableDetails) error {
	var asks []ask
	for _, d := range all {
		asks = append(asks, ask{request: &lisp.LispLocatorDump{IsIndexSet: 1, LsIndex: d.LocatorSetIndex}}, ask{request: &lisp.ShowLispStatus{}})
	}
	is, err := w.id(&lisp.LispLocatorDetails{})
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- w.send(asks) }() // VPP tells while it is asked
	for ends := 0; ends < len(all); {
		msg, err := w.next()
		if err != nil {
			return err
		}
		if binary.BigEndian.Uint16(msg) != is {
			ends++
			continue
		}
		if err := codec.DecodeMsg(msg, new(lisp.LispLocatorDetails)); err != nil {
			return err
		}
	}
	return <-sent
}
