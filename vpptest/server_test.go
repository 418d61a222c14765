// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vhost_user"
	"go.uber.org/goleak"
)

func TestCloseLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	vpp, err := Start()
	require.NoError(t, err)
	w, err := dial(vpp.Socket())
	require.NoError(t, err)
	defer w.close()
	require.NoError(t, vpp.Restart())
	require.NoError(t, vpp.Close())
	require.NoError(t, vpp.Close())
	_, err = os.Stat(filepath.Dir(vpp.Socket()))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func pid(t *testing.T, w *wire) uint32 {
	t.Helper()
	answers, _, err := w.ask(&memclnt.ControlPing{})
	require.NoError(t, err)
	return answers[0].(*memclnt.ControlPingReply).VpePID
}

func TestRestartLosesAll(t *testing.T) {
	vpp := New(t, WithInterface("eth0"))
	fresh := vpp.String()
	w := client(t, vpp.Socket())
	before := pid(t, w)
	_, _, err := w.ask(&interfaces_api.CreateLoopback{}, domain5(7))
	require.NoError(t, err)
	require.NotEqual(t, fresh, vpp.String())

	require.NoError(t, vpp.Restart())
	_, _, err = w.ask(&memclnt.ControlPing{})
	require.Error(t, err, "the connection is cut")
	require.Equal(t, fresh, vpp.String())

	w = client(t, vpp.Socket())
	require.NotEqual(t, before, pid(t, w))
	require.NotContains(t, vpp.String(), "bridge-domain")
}

func TestMessageIDsChange(t *testing.T) {
	vpp := New(t)
	base := func() uint16 { return client(t, vpp.Socket()).ids[crcName(&l2.L2Flags{})] }
	seen := map[uint16]bool{}
	for range 8 {
		seen[base()] = true
		require.NoError(t, vpp.Restart())
	}
	require.Greater(t, len(seen), 1)
	require.EqualValues(t, 23, client(t, vpp.Socket()).ids[crcName(&memclnt.ControlPing{})], "those of memclnt do not")
}

func TestKill(t *testing.T) {
	vpp := New(t)
	vpp.Kill()
	_, err := dial(vpp.Socket())
	require.Error(t, err)
	_, err = os.Stat(vpp.Socket())
	require.NoError(t, err, "the file stays")
	vpp.Kill()
	require.NoError(t, vpp.Restart())
	client(t, vpp.Socket())
}

func TestWithoutPlugin(t *testing.T) {
	w := client(t, New(t, WithoutPlugin("vhost")).Socket())
	require.NotContains(t, w.ids, crcName(&vhost_user.CreateVhostUserIfV2{}))
	require.NotContains(t, w.ids, crcName(&vhost_user.SwInterfaceVhostUserDetails{}))
	require.Contains(t, w.ids, crcName(&l2.L2Flags{}))
}

func TestString(t *testing.T) {
	vpp := New(t, WithInterface("eth0"))
	w := client(t, vpp.Socket())
	_, _, err := w.ask(
		&interfaces_api.CreateLoopback{},
		&interfaces_api.SwInterfaceTagAddDel{SwIfIndex: 2, IsAdd: true, Tag: "me/lo"},
		&interfaces_api.SwInterfaceSetFlags{SwIfIndex: 1, Flags: 1},
		&interfaces_api.CreateVlanSubif{SwIfIndex: 1, VlanID: 10},
		&l2.L2InterfaceVlanTagRewrite{SwIfIndex: 3, VtrOp: 3},
		&l2.BridgeDomainAddDelV2{BdID: 5, IsAdd: true, Learn: true, Forward: true, BdTag: "me/net"},
		&l2.SwInterfaceSetL2Bridge{RxSwIfIndex: 2, BdID: 5, PortType: l2.L2_API_PORT_TYPE_BVI, Enable: true},
		&l2.SwInterfaceSetL2Bridge{RxSwIfIndex: 3, BdID: 5, Shg: 1, Enable: true},
		&l2.L2fibAddDel{Mac: mac{2, 0, 0, 0, 0, 9}, BdID: 5, SwIfIndex: 3, IsAdd: true, StaticMac: true},
		&vhost_user.CreateVhostUserIfV2{IsServer: true, SockFilename: "/run/vm1.sock", Tag: "me/vm1"},
	)
	require.NoError(t, err)
	golden(t, "testdata/string.golden", vpp.String())
}

func golden(t *testing.T, path, have string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		require.NoError(t, os.WriteFile(path, []byte(have), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), have)
}

// Ten thousand of everything must not hold up a test.
func TestTenThousandPorts(t *testing.T) {
	const n = 10_000
	w := client(t, New(t).Socket())
	requests := make([]api.Message, 0, 3*n)
	for i := range uint32(n) {
		requests = append(requests,
			&vhost_user.CreateVhostUserIfV2{IsServer: true, SockFilename: fmt.Sprintf("/run/vm%d.sock", i)},
			domain5(i+1),
			&l2.SwInterfaceSetL2Bridge{RxSwIfIndex: interface_types.InterfaceIndex(i + 1), BdID: i + 1, Enable: true})
	}
	start := time.Now()
	var answers []api.Message
	sent := make(chan error, 1)
	all := append(requests, &interfaces_api.SwInterfaceDump{}, &l2.BridgeDomainDump{BdID: none, SwIfIndex: none})
	go func() {
		var err error
		answers, _, err = w.ask(all...)
		sent <- err
	}()
	require.NoError(t, <-sent)
	require.Len(t, answers, 3*n+(n+1)+n)
	require.Less(t, time.Since(start), time.Minute) // on a busy machine, with a race detector
}
