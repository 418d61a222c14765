// SPDX-License-Identifier: Apache-2.0

package vhost

import (
	"context"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/vhost_user"

	"github.com/vppkit/vppkit/vppnet"
)

// Guest is how far the VM on the other end of a port's socket has come.
type Guest struct {
	Index  uint32 // sw_if_index of the port
	Socket string
	Server bool // the socket is VPP's, and the VM connects; else the other way round

	// Connected: VPP has reached the VM's socket, or has not tried yet; it tries every three
	// seconds, and as soon as the port is made. That nobody is there any more it finds by
	// trying again. Who has connected to a socket of VPP's own it does not show before he is Running.
	Connected bool

	// Running: the VM's own driver has handed its memory to VPP. That is what the port's link
	// goes up and down with, if it is up at all, so vppnet.Conn.Watch tells of it. A VM that
	// is started paused does not get there before it goes on.
	Running bool
}

// Attached says whether there is a VM at all, as far as VPP shows it.
func (g Guest) Attached() bool { return g.Connected || g.Running }

// Guests lists all vhost-user ports of a VPP, whoever's they are
// (sw_interface_vhost_user_dump, one round trip).
func Guests(ctx context.Context, c *vppnet.Conn) ([]Guest, error) {
	c.Uses(&vhost_user.SwInterfaceVhostUserDump{})
	all, err := vppnet.Collect(vhost_user.NewServiceClient(c).SwInterfaceVhostUserDump(ctx, &vhost_user.SwInterfaceVhostUserDump{
		SwIfIndex: ^interface_types.InterfaceIndex(0),
	}))
	out := make([]Guest, len(all))
	for i, d := range all {
		out[i] = Guest{
			Index: uint32(d.SwIfIndex), Socket: d.SockFilename, Server: d.IsServer,
			Connected: !d.IsServer && d.SockErrno == 0,
			Running:   d.NumRegions > 0,
		}
	}
	return out, err
}
