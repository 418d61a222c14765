// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/lldp"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/vhost_user"
	"go.fd.io/govpp/codec"
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

// VPP executes what it can read, whoever asks, and answers to whom the request names.
func TestAnswersGoWhereTheRequestSays(t *testing.T) {
	vpp := New(t)
	a, b := client(t, vpp.Socket()), client(t, vpp.Socket())
	require.NotEqual(t, a.index, b.index)

	mine := a.index
	a.index = b.index
	frame, context, err := a.frame(nil, domain5(1))
	require.NoError(t, err)
	a.index = 12345
	nobody, _, err := a.frame(nil, domain5(2))
	require.NoError(t, err)
	a.index = mine
	_, err = a.conn.Write(append(frame, nobody...))
	require.NoError(t, err)

	m, got, err := b.receive(time.Second)
	require.NoError(t, err)
	require.Equal(t, &l2.BridgeDomainAddDelV2Reply{BdID: 1}, m)
	require.Equal(t, context, got)
	answers, _, err := a.ask()
	require.NoError(t, err)
	require.Empty(t, answers)
	require.Contains(t, vpp.String(), "bridge-domain 2 ")
}

func TestWhatIsNotAnswered(t *testing.T) {
	w := client(t, New(t).Socket())
	unknown := make([]byte, 10)
	binary.BigEndian.PutUint16(unknown, 65000)
	binary.BigEndian.PutUint32(unknown[clientAt:], w.index)
	short, _, err := w.frame(nil, domain5(1))
	require.NoError(t, err)
	short = appendFrame(nil, short[headerSize:headerSize+12])
	for _, frame := range [][]byte{appendFrame(nil, unknown), short, appendFrame(nil, nil), appendFrame(nil, []byte{1})} {
		_, err = w.conn.Write(frame)
		require.NoError(t, err)
	}
	answers, _, err := w.ask()
	require.NoError(t, err)
	require.Empty(t, answers)
}

func TestSplitAndLongFrames(t *testing.T) {
	vpp := New(t)
	w := client(t, vpp.Socket())
	frame, _, err := w.frame(nil, domain5(1))
	require.NoError(t, err)
	long := appendFrame(nil, append(frame[headerSize:], "and more"...))
	for i := range long {
		_, err := w.conn.Write(long[i : i+1])
		require.NoError(t, err)
	}
	answers, _, err := w.ask()
	require.NoError(t, err)
	require.Len(t, answers, 1)
}

func TestSecondHandshakeAndGoodbye(t *testing.T) {
	w := client(t, New(t).Socket())
	index := w.index
	require.NoError(t, w.handshake())
	require.Equal(t, index, w.index)

	frame, _, err := w.frame(nil, &memclnt.SockclntDelete{Index: index})
	require.NoError(t, err)
	_, err = w.conn.Write(frame)
	require.NoError(t, err)
	m, _, err := w.receive(time.Second)
	require.NoError(t, err)
	require.Equal(t, &memclnt.SockclntDeleteReply{Response: 1}, m)
	_, err = w.next(time.Second)
	require.Error(t, err)
}

func TestLinkUp(t *testing.T) {
	vpp := New(t, WithInterface("eth0"))
	w := client(t, vpp.Socket())
	port := &vhost_user.CreateVhostUserIfV2{IsServer: true, SockFilename: "/run/vm1.sock"}
	_, _, err := w.ask(port, &interfaces_api.SwInterfaceSetFlags{SwIfIndex: 2, Flags: 1}, &interfaces_api.WantInterfaceEvents{EnableDisable: 1, PID: 7})
	require.NoError(t, err)
	event := func(index interface_types.InterfaceIndex, flags interface_types.IfStatusFlags) {
		t.Helper()
		m, _, err := w.receive(time.Second)
		require.NoError(t, err)
		require.Equal(t, &interfaces_api.SwInterfaceEvent{PID: 7, SwIfIndex: index, Flags: flags}, m)
	}
	vpp.LinkUp("VirtualEthernet0/0/0", true)
	event(2, interface_types.IF_STATUS_API_FLAG_LINK_UP)
	require.Contains(t, vpp.String(), "guest")
	vpp.LinkUp("VirtualEthernet0/0/0", false)
	event(2, 0)
	vpp.LinkUp("eth0", false)
	event(1, 0)
}

// Every kind of handler, for messages that are not built in.
func TestHandle(t *testing.T) {
	var told []string
	var names []string // lives as long as the plugin: until a restart
	vpp := New(t, WithReport(func(text string) { told = append(told, text) }), WithoutPlugin("policer"), WithPlugin("police", func(v *VPP) {
		names = nil
		Handle(v, func(c *Call, q *policer.PolicerAdd) *policer.PolicerAddReply {
			names = append(names, q.Name)
			return &policer.PolicerAddReply{PolicerIndex: uint32(len(names) - 1)}
		})
		HandleDump(v, func(c *Call, q *policer.PolicerDump) (out []*policer.PolicerDetails) {
			for _, name := range names {
				out = append(out, &policer.PolicerDetails{Name: name})
			}
			return out
		})
		v.Dump(func() (out []string) {
			for _, name := range names {
				out = append(out, "policer "+name)
			}
			return out
		})
	}))
	HandleGet(vpp, func(c *Call, q *lldp.LldpDump) ([]*lldp.LldpDetails, *lldp.LldpDumpReply) {
		return []*lldp.LldpDetails{{SwIfIndex: 1}, {SwIfIndex: 2}}, &lldp.LldpDumpReply{Cursor: none}
	})

	for range 2 {
		told = nil
		w := client(t, vpp.Socket())
		answers, _, err := w.ask(
			&policer.PolicerAdd{Name: "gold"}, &policer.PolicerDump{}, &policer.PolicerDel{PolicerIndex: 1}, &lldp.LldpDump{})
		require.NoError(t, err)
		kinds := make([]string, 0, len(answers))
		for _, m := range answers {
			kinds = append(kinds, m.GetMessageName())
		}
		require.Equal(t, []string{
			"policer_add_reply", "policer_details", "policer_del_reply", "lldp_details", "lldp_details", "lldp_dump_reply",
		}, kinds)
		require.Equal(t, &policer.PolicerDelReply{Retval: -9}, answers[2], "in the table, but not taught")
		require.Equal(t, []string{"vpptest: not imitated: policer_del, which is not taught"}, told)
		require.Contains(t, vpp.String(), "policer gold\n")
		require.NoError(t, vpp.Restart())
		require.NotContains(t, vpp.String(), "policer")
	}
}

// A plugin of one's own makes interfaces, and hears of their end.
func TestPluginInterfaces(t *testing.T) {
	var gone []uint32
	var seen []Interface
	vpp := New(t, WithPlugin("lldp", func(v *VPP) {
		v.OnDelete(func(index uint32) { gone = append(gone, index) })
		Handle(v, func(c *Call, q *lldp.LldpConfig) *lldp.LldpConfigReply {
			if q.TxHold == 0 {
				return &lldp.LldpConfigReply{Retval: int32(c.AddInterface(NewInterface{Name: q.SystemName, DevType: "mine"}))}
			}
			i, ok := c.Interface(q.TxHold)
			if !ok {
				return &lldp.LldpConfigReply{Retval: -2}
			}
			seen = append(seen, i)
			c.DeleteInterface(q.TxHold)
			return &lldp.LldpConfigReply{}
		})
	}))
	w := client(t, vpp.Socket())
	answers, _, err := w.ask(&lldp.LldpConfig{SystemName: "mine0"})
	require.NoError(t, err)
	require.Equal(t, []api.Message{&lldp.LldpConfigReply{Retval: 1}}, answers)
	require.Contains(t, vpp.String(), "interface 1 mine0 mine")
	_, _, err = w.ask(
		&interfaces_api.SwInterfaceTagAddDel{SwIfIndex: 1, IsAdd: true, Tag: "me/mine"},
		&interfaces_api.SwInterfaceSetFlags{SwIfIndex: 1, Flags: 1})
	require.NoError(t, err)
	answers, _, err = w.ask(&lldp.LldpConfig{TxHold: 1}, &lldp.LldpConfig{TxHold: 1})
	require.NoError(t, err)
	require.Equal(t, []api.Message{&lldp.LldpConfigReply{}, &lldp.LldpConfigReply{Retval: -2}}, answers)
	vpp.Do(func() {
		require.Equal(t, []uint32{1}, gone)
		require.Len(t, seen, 1)
		require.Equal(t, [2]byte{2, 0xfe}, [2]byte(seen[0].MAC[:2]))
		seen[0].MAC = [6]byte{}
		require.Equal(t, Interface{Index: 1, Name: "mine0", DevType: "mine", Tag: "me/mine", Up: true, Link: true, Parent: 1}, seen[0])
	})
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

func FuzzReadFrame(f *testing.F) {
	f.Add(appendFrame(nil, []byte("hello")))
	f.Add(appendFrame(appendFrame(nil, nil), []byte{1}))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		var again []byte
		for {
			_ = another(r)
			msg, err := readFrame(r)
			if err != nil {
				break
			}
			again = appendFrame(again, msg)
		}
		if len(again) > len(data) {
			t.Fatal("more came out than went in")
		}
	})
}

// No message, however broken, may harm a VPP that others use.
func FuzzExecute(f *testing.F) {
	vpp, err := Start()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = vpp.Close() })
	l := vpp.life
	for _, m := range []api.Message{&l2.BridgeDomainAddDelV2{}, &interfaces_api.SwInterfaceDump{}, &interfaces_api.CreateSubif{}} {
		msg, err := codec.EncodeMsg(m, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.GetMessageName(), msg)
	}
	f.Fuzz(func(t *testing.T, name string, msg []byte) {
		if len(msg) < requestHead || strings.HasPrefix(name, "sockclnt") {
			return
		}
		for full, id := range l.table.ids {
			if known, _ := cutCRC(full); known == name {
				binary.BigEndian.PutUint16(msg, id)
				vpp.execute(l, &peer{out: newOutbox()}, msg, true)
			}
		}
		_ = vpp.String()
	})
}
