// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memif"

	"github.com/vppkit/vppkit/vpptest"
)

var (
	memifs       = &memif.MemifDump{}
	memifSockets = &memif.MemifSocketFilenameDump{}
)

func memifSocket(id uint32, path string) api.Message {
	return &memif.MemifSocketFilenameAddDelV2{IsAdd: true, SocketID: id, SocketFilename: path}
}

func unmemifSocket(id uint32) api.Message { return &memif.MemifSocketFilenameAddDelV2{SocketID: id} }

// memifOf is a slave, which needs nobody at the other end.
func memifOf(socket, id uint32) *memif.MemifCreateV2 {
	return &memif.MemifCreateV2{Role: memif.MEMIF_ROLE_API_SLAVE, SocketID: socket, ID: id, HwAddr: mac(byte(id))}
}

func memifWith(socket, id uint32, set func(*memif.MemifCreateV2)) api.Message {
	m := memifOf(socket, id)
	set(m)
	return m
}
func master(m *memif.MemifCreateV2) { m.Role = memif.MEMIF_ROLE_API_MASTER }
func ofIP(m *memif.MemifCreateV2)   { m.Mode = memif.MEMIF_MODE_API_IP }
func unmemif(i index) api.Message   { return &memif.MemifDelete{SwIfIndex: i} }

var memifScripts = []vpptest.Script{
	{Name: "memif-socket", About: "sockets of memif: ids and paths", Steps: []vpptest.Step{
		note("VPP's own", memifSockets),
		do(memifSocket(0, "$DIR/a")), do(unmemifSocket(0)), do(unmemifSocket(7)), do(unmemifSocket(none)),
		do(memifSocket(7, "$DIR/a")), note("again", memifSocket(7, "$DIR/a")), note("another path", memifSocket(7, "$DIR/b")),
		note("the same path", memifSocket(8, "$DIR/a")), do(memifSocket(9, "")), note("no such directory, which is not looked at", memifSocket(9, "$DIR/none/c")),
		do(memifSocket(10, "@abstract")), note("longer than a path can be", memifSocket(11, "/"+strings.Repeat("x", 120))), do(memifSockets),
		do(unmemifSocket(8)), do(unmemifSocket(8)), do(memifSockets),
		do(memifOf(7, 1)), note("in use", unmemifSocket(7)), do(unmemif(1)), do(unmemifSocket(7)), do(memifSockets),
	}},
	{Name: "memif-socket-any", About: "a socket whose id VPP picks", Volatile: []string{
		"memif_socket_filename_add_del_v2_reply.socket_id", "memif_socket_filename_details.socket_id",
	}, Steps: []vpptest.Step{
		{As: "a", Request: memifSocket(none, "$DIR/a")},
		do(memifSockets),
		{Request: unmemifSocket(0), From: map[string]string{"socket_id": "a.socket_id"}},
		do(memifSockets),
	}},
	{Name: "memif", About: "memif interfaces that are not connected", Steps: []vpptest.Step{
		do(memifs), do(memifSocket(7, "$DIR/a")), do(memifSocket(8, "$DIR/b")), do(memifSocket(9, "$DIR/none/c")),
		note("no such socket", memifOf(6, 1)), note("none given", memifOf(none, 1)),
		do(memifOf(7, 1)), do(memifs), do(dump(1)), note("again", memifOf(7, 1)), note("another role", memifWith(7, 2, master)),
		do(memifWith(8, 1, master)), do(memifWith(8, 2, func(m *memif.MemifCreateV2) { master(m); m.RxQueues, m.TxQueues, m.NoZeroCopy = 4, 4, true })), note("another role", memifOf(8, 3)),
		do(memifWith(7, 4, func(m *memif.MemifCreateV2) {
			m.RxQueues, m.TxQueues, m.RingSize, m.BufferSize, m.NoZeroCopy, m.Secret = 2, 3, 512, 4096, true, "never shown"
		})),
		do(memifWith(7, 5, ofIP)), note("no power of two", memifWith(7, 6, func(m *memif.MemifCreateV2) { m.RingSize = 1000 })),
		do(memifWith(0, 1<<31, func(m *memif.MemifCreateV2) { m.UseDma = true; m.RingSize = 1 << 31 })), do(memifs), do(interfaces),
		do(admin(1, up)), note("nobody at the other end, no link", dump(1)), do(admin(5, up)), do(dump(5)),
		do(setMAC(1, mac(99))), do(setMAC(5, mac(99))), do(hwMTU(1, 1500)), do(hwMTU(1, 9000)), do(hwMTU(1, 65535)), do(hwMTU(1, 63)), do(hwMTU(5, 1500)), do(mtu(1, 1400, 0, 0, 0)), do(dump(1)), do(dump(5)), do(memifs),
		do(tag(1, "me/one")), do(rename(1, "memif7")), do(vlan(2, 10)), do(vlan(5, 10)), do(join(1, 5)), do(join(5, 5)), do(domains),
		do(unmemif(77)), do(unmemif(0)), note("a sub-interface stands for its interface", unmemif(7)), do(unmemif(1)), do(unmemif(1)), do(memifs), do(interfaces),
		do(loopback()), note("wrong kind", unmemif(1)), note("wrong kind", unloop(3)), do(unmemif(3)), do(unmemif(4)), do(unmemif(5)),
		note("the last of its role has gone", memifWith(7, 1, master)), do(memifs), do(interfaces),
	}},
	{Name: "memif-listen", About: "a socket on which VPP could not listen once is never listened on again, until it is made anew", Steps: []vpptest.Step{
		do(memifSocket(9, "$DIR/none/c")), note("no such directory", memifWith(9, 1, master)), do(memifs), do(interfaces),
		note("the second time it succeeds, and nobody listens", memifWith(9, 1, master)), do(memifs),
		do(memifSocket(10, "$DIR/a")), do(memifSocket(11, "$DIR/a")), do(memifWith(10, 1, master)), note("somebody listens already", memifWith(11, 1, master)), do(unmemif(2)),
		note("made anew", unmemifSocket(11)), do(memifSocket(11, "$DIR/a")), do(memifWith(11, 1, master)), do(memifs), do(unmemif(2)), do(memifSockets),
	}},
}
