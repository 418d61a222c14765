// SPDX-License-Identifier: Apache-2.0

package lldp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lldp"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// Port tells the neighbours on an interface who is there: VPP's MAC and name of the interface, and
// what this says.
type Port struct {
	Interface   string     // a device of its own, no sub-interface
	Description string     // at most 255 bytes
	IPv4, IPv6  netip.Addr // by which VPP is managed; zero: none
	OID         string     // of what is managed there, at most 127 bytes; "": none
}

// PortKey is the key of the Port of an interface.
func PortKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "lldp", Name: iface}
}

// Key is PortKey(p.Interface).
func (p Port) Key() desiredstate.Key { return PortKey(p.Interface) }

// Deps lists the interface.
func (p Port) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(p.Interface)}
}

// Validate checks names and addresses.
func (p Port) Validate() error {
	if p.IPv4.IsValid() {
		if err := inet.CheckHostOf("field IPv4:", p.IPv4, false); err != nil {
			return err
		}
	}
	if p.IPv6.IsValid() {
		if err := inet.CheckHostOf("field IPv6:", p.IPv6, true); err != nil {
			return err
		}
	}
	return cmp.Or(vppnet.CheckRef("interface", p.Interface), checkText("description", p.Description, 255), checkText("OID", p.OID, 127))
}

func checkText(what, text string, most int) error {
	switch {
	case len(text) > most:
		return fmt.Errorf("%s has %d bytes, want at most %d", what, len(text), most)
	case strings.Contains(text, "\x00"):
		return errors.New(what + " has a zero byte")
	case !utf8.ValidString(text):
		return errors.New(what + " is no UTF-8")
	}
	return nil
}

// Ports manages which interfaces tell who they are (sw_interface_set_lldp). Whatever changes, LLDP is
// turned off and on.
//
// VPP takes the number of the interface for that of its device, and the two differ for what was made
// after a sub-interface. It would then turn on LLDP of another interface, and could not turn it off.
// So VPP is asked for the device first (cli_inband, "show hardware-interfaces brief"), and one with
// another number is refused: make devices before sub-interfaces. Sub-interfaces and what is not
// Ethernet have no LLDP.
//
// VPP begins to speak when a device is up, or its link comes up, and links of bonds, TAPs and devices of Linux are up
// before they are. A Port of such a one waits (ErrEarly) until it is up.
//
// VPP says nothing any more by a device of which a sub-interface goes down, until that device's link comes up
// again. What removes a sub-interface, or its LinkState with a Parent, or takes it down, turns LLDP off and on after that.
// It stays silent when somebody else takes a sub-interface down.
func Ports(c *vppnet.Conn, m *vppnet.Memory, claims ...vppnet.Claim) *desiredstate.Kind[Port] {
	k := ports{lldp.NewServiceClient(c), interfaces.NewServiceClient(c), vlib.NewServiceClient(c)}
	return vppnet.Remembered(c, m, iface.OnDevice(c, claims, &desiredstate.Kind[Port]{
		Name:     "lldp",
		Messages: c.Uses(&lldp.SwInterfaceSetLldp{}, &interfaces.SwInterfaceDump{}, &vlib.CliInband{}, &memclnt.ControlPing{}),
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Port], want Port) error {
			return k.put(ctx, v, have.ID, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Port]) error {
			return vppnet.Gone(k.set(ctx, have.ID, Port{}, false), api.INVALID_SW_IF_INDEX)
		},
	}, k.put))
}

type ports struct {
	vpp        lldp.RPCService
	interfaces interfaces.RPCService
	cli        vlib.RPCService
}

func (k ports) put(ctx context.Context, _ *desiredstate.View, id uint32, p Port) error {
	if err := k.check(ctx, p.Interface, id); err != nil {
		return err
	}
	if err := k.set(ctx, id, p, false); err != nil { // VPP does not change what it says
		return err
	}
	return k.set(ctx, id, p, true)
}

// check sees that the interface's device has the interface's number, so that VPP does it to that one.
func (k ports) check(ctx context.Context, iface string, id uint32) error {
	all, err := vppnet.Collect(k.interfaces.SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(id)}))
	switch {
	case err != nil:
		return err
	case len(all) != 1:
		return fmt.Errorf("%w: interface %s has gone", desiredstate.ErrChanged, iface)
	case all[0].SupSwIfIndex != id:
		return fmt.Errorf("%w: interface %s is a sub-interface: LLDP is of its device: name its parent", desiredstate.ErrInvalid, iface)
	}
	name, flags := all[0].InterfaceName, all[0].Flags
	r, err := k.cli.CliInband(ctx, &vlib.CliInband{Cmd: "show hardware-interfaces brief " + name})
	if err != nil {
		return err
	}
	for line := range strings.Lines(r.Reply) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != name {
			continue
		}
		switch {
		case f[1] == strconv.Itoa(int(id)) && flags == interface_types.IF_STATUS_API_FLAG_LINK_UP: // and that alone
			return fmt.Errorf("%w: interface %s is down, and its link up: VPP would say nothing by it when it comes up: bring it up before", desiredstate.ErrEarly, iface)
		case f[1] == strconv.Itoa(int(id)):
			return nil
		}
		return fmt.Errorf("%w: interface %s has the number %d, and its device %s: VPP would turn on LLDP of another one; make it before any sub-interface", desiredstate.ErrInvalid, iface, id, f[1])
	}
	return fmt.Errorf("%w: VPP shows no device of interface %s", desiredstate.ErrMissing, iface)
}

func (k ports) set(ctx context.Context, id uint32, p Port, on bool) error {
	q := &lldp.SwInterfaceSetLldp{SwIfIndex: interface_types.InterfaceIndex(id), PortDesc: p.Description, MgmtOid: make([]byte, 128), Enable: on}
	copy(q.MgmtOid, p.OID)
	if p.IPv4.IsValid() {
		q.MgmtIP4 = p.IPv4.As4()
	}
	if p.IPv6.IsValid() {
		q.MgmtIP6 = p.IPv6.As16()
	}
	_, err := k.vpp.SwInterfaceSetLldp(ctx, q)
	return err
}
