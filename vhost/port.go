// SPDX-License-Identifier: Apache-2.0

package vhost

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/vhost_user"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/socketpath"
	"github.com/vppkit/vppkit/vppnet"
)

// Port is a vhost-user interface: one end of the virtual wire of a VM, whose
// other end is the socket.
type Port struct {
	Name string

	// Socket is the path of the vhost-user socket, absolute, clean, of at most
	// 107 bytes, in the directory that was given to Ports.
	Socket string

	// Server makes VPP listen on Socket; it first removes what is there. If not,
	// VPP connects to Socket, and tries again until somebody listens.
	Server bool

	// What a guest is offered. VPP does not show it, so the port's tag keeps it:
	// it takes two bytes for the first, two for each other of the 63 that the
	// tag has.
	GSO        bool // segmentation offload
	Packed     bool // packed rings
	EventIndex bool // notify by event index

	MAC vppnet.MAC // of VPP's end; zero: VPP picks at random

	// Instance is the number in VPP's name for it, "VirtualEthernet0/0/7".
	// 0: VPP picks. VPP does not look whether a number is taken, and picks from 0
	// up without regard to those that were asked for; so ask for high ones.
	Instance uint32
}

// Key is vppnet.InterfaceKey(p.Name).
func (p Port) Key() desiredstate.Key { return vppnet.InterfaceKey(p.Name) }

// Deps is empty.
func (p Port) Deps() []desiredstate.Key { return nil }

// Validate checks name, MAC, and all of the socket's path but its directory.
func (p Port) Validate() error {
	if err := (*vppnet.Conn)(nil).CheckName(p.Name, p.options()...); err != nil {
		return err
	}
	if err := socketpath.Check(p.Socket); err != nil {
		return err
	}
	return p.MAC.CheckUnicast()
}

// options are kept in the tag.
func (p Port) options() (opts []string) {
	for _, f := range p.features() {
		if *f.on {
			opts = append(opts, f.letter)
		}
	}
	return opts
}

// recall takes the options from the tag.
func (p *Port) recall(opts []string) {
	for _, f := range p.features() {
		*f.on = slices.Contains(opts, f.letter)
	}
}

type feature struct {
	letter string
	on     *bool
}

func (p *Port) features() []feature {
	return []feature{{"g", &p.GSO}, {"p", &p.Packed}, {"e", &p.EventIndex}}
}

// instance is the number in VPP's name of a port.
func instance(name string) uint32 {
	n, _ := strconv.ParseUint(strings.TrimPrefix(name, "VirtualEthernet0/0/"), 10, 32)
	return uint32(n)
}

// Ports manages vhost-user interfaces (create_vhost_user_if_v2) whose sockets
// are in one of dirs, absolute paths as VPP sees them. A socket that would be elsewhere,
// by its path or by a symbolic link on the way, is refused before VPP is told:
// VPP is root, and removes whatever file has the name. So is one in a directory that everybody
// can write to, as far as this process sees it; its owner and group are trusted.
//
// The MAC changes in place, all else replaces.
func Ports(c *vppnet.Conn, dirs ...string) *desiredstate.Kind[Port] {
	vpp, look := vhost_user.NewServiceClient(c), &socketpath.Look{}
	return vppnet.Labelled(c, &desiredstate.Kind[Port]{
		Target: c.Target(), Variant: strings.Join(dirs, "\x00"),
		Name:     "vhost-port",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c)},
		Messages: c.Uses(append(vppnet.MACMessages(), &vhost_user.SwInterfaceVhostUserDump{}, &vhost_user.CreateVhostUserIfV2{},
			&vhost_user.DeleteVhostUserIf{}, &interfaces.SwInterfaceTagAddDel{})...),
		Dump: vppnet.Reread(c, func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Port], err error) {
			all, err := vppnet.Collect(vpp.SwInterfaceVhostUserDump(ctx, &vhost_user.SwInterfaceVhostUserDump{
				SwIfIndex: ^interface_types.InterfaceIndex(0),
			}))
			for _, d := range all {
				i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.SwIfIndex))
				if !ok {
					continue // gone since
				}
				mac, hidden := i.Spec.OwnMAC()
				p := Port{Name: i.Spec.Name, Socket: d.SockFilename, Server: d.IsServer, MAC: mac, Instance: instance(i.Spec.VPPName)}
				p.recall(c.TagOptions(i.Spec.Tag))
				out = append(out, desiredstate.Actual[Port]{Spec: p, ID: i.ID, Foreign: i.Foreign, Leftover: i.Leftover, Covered: hidden})
			}
			return out, err
		}),
		Check: func(v *desiredstate.View, p Port) error { return look.Confine(v, dirs, p.Socket, p.Server) },
		Create: func(ctx context.Context, _ *desiredstate.View, p Port) (uint32, error) {
			tag, err := c.Tag(p.Name, p.options()...)
			if err != nil {
				return 0, err
			}
			if err := socketpath.Confine(dirs, p.Socket, p.Server); err != nil {
				return 0, err
			}
			r, err := vpp.CreateVhostUserIfV2(ctx, &vhost_user.CreateVhostUserIfV2{
				Tag: tag, SockFilename: p.Socket, IsServer: p.Server,
				EnableGso: p.GSO, EnablePacked: p.Packed, EnableEventIdx: p.EventIndex,
				Renumber: p.Instance != 0, CustomDevInstance: p.Instance,
				UseCustomMac: !p.MAC.IsZero(), MacAddress: ethernet_types.MacAddress(p.MAC),
			})
			if err != nil {
				return 0, err
			}
			return uint32(r.SwIfIndex), nil
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Port], want Port) error {
			return c.SetMAC(ctx, have.ID, want.MAC)
		},
		Adopt: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Port], want Port) error {
			tag, err := c.Tag(want.Name, want.options()...) // what VPP does not show is as wanted by our word alone
			if err != nil {
				return err
			}
			_, err = interfaces.NewServiceClient(c).SwInterfaceTagAddDel(ctx, &interfaces.SwInterfaceTagAddDel{
				IsAdd: true, SwIfIndex: interface_types.InterfaceIndex(have.ID), Tag: tag,
			})
			return err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Port]) error {
			_, err := vpp.DeleteVhostUserIf(ctx, &vhost_user.DeleteVhostUserIf{SwIfIndex: interface_types.InterfaceIndex(have.ID)})
			return vppnet.Gone(err, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[Port], want Port) Port {
			if want.MAC.IsZero() || have.Covered {
				want.MAC = have.Spec.MAC
			}
			if want.Instance == 0 {
				want.Instance = have.Spec.Instance
			}
			return want
		},
		InPlace: func(have desiredstate.Actual[Port], want Port) bool {
			have.Spec.MAC = want.MAC
			return have.Spec == want
		},
		Holds: func(p Port) []desiredstate.Key { return []desiredstate.Key{vppnet.SocketKey(p.Socket)} },
	}, Port.options)
}
