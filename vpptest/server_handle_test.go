// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lldp"
	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/vhost_user"
)

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
