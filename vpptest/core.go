// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/binary"
	"strings"
	"time"

	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vlib"
	"go.fd.io/govpp/binapi/vpe"
	"go.fd.io/govpp/binapi/vpe_types"
)

// Version is the release that the in-memory VPP is recorded from, and says it is.
const Version = "25.10-release"

// loadCore teaches the messages that every VPP has: memclnt, vpe and vlib.
func loadCore(v *VPP) {
	Handle(v, func(c *Call, _ *memclnt.ControlPing) *memclnt.ControlPingReply {
		return &memclnt.ControlPingReply{ClientIndex: c.client.number(), VpePID: v.life.pid}
	})
	Handle(v, func(_ *Call, q *memclnt.GetFirstMsgID) *memclnt.GetFirstMsgIDReply {
		if first, ok := v.life.table.first(q.Name); ok {
			return &memclnt.GetFirstMsgIDReply{FirstMsgID: first}
		}
		return &memclnt.GetFirstMsgIDReply{Retval: invalidValue, FirstMsgID: 1<<16 - 1}
	})
	Handle(v, func(*Call, *memclnt.APIVersions) *memclnt.APIVersionsReply {
		return &memclnt.APIVersionsReply{} // always empty: nothing in VPP fills it
	})
	Handle(v, func(*Call, *vpe.ShowVersion) *vpe.ShowVersionReply {
		return &vpe.ShowVersionReply{Program: "vpe", Version: v.options.version(), BuildDate: "2025-10-29T00:00:00", BuildDirectory: "/vpptest"}
	})
	Handle(v, func(*Call, *vpe.ShowVpeSystemTime) *vpe.ShowVpeSystemTimeReply {
		return &vpe.ShowVpeSystemTimeReply{VpeSystemTime: vpe_types.NewTimestamp(time.Now())}
	})
	Handle(v, func(_ *Call, q *vlib.CliInband) *vlib.CliInbandReply {
		if strings.TrimSpace(q.Cmd) == "show version" {
			return &vlib.CliInbandReply{Reply: "vpp v" + v.options.version() + " built by vpptest\n"}
		}
		if run := v.life.commands[strings.TrimSpace(q.Cmd)]; run != nil {
			return &vlib.CliInbandReply{Reply: run()}
		}
		if r := v.life.interfaces.showHardware(q.Cmd); r != nil {
			return r
		}
		return &vlib.CliInbandReply{Retval: unspecified, Reply: "unknown input `" + q.Cmd + "'\n"}
	})
}

// sockclntCreate admits a client; a second one on its connection changes nothing.
func (v *VPP) sockclntCreate(c *Call) {
	v.life.admit(c.client)
	c.send(sockclntCreateID+1, &memclnt.SockclntCreateReply{Index: c.client.index, MessageTable: v.life.table.wire()})
}

// sockclntDelete says goodbye. VPP's answer to that is 1.
func (v *VPP) sockclntDelete(c *Call) {
	reply := &memclnt.SockclntDeleteReply{Response: 1}
	c.send(v.life.idOf(reply), reply)
}

// number is the client's index in network order read in host order, as VPP puts it
// into a control_ping_reply.
func (p *peer) number() uint32 {
	if p == nil {
		return none
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], p.index)
	return binary.BigEndian.Uint32(b[:])
}
