// SPDX-License-Identifier: Apache-2.0

package place

import (
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// InterfaceSpace is that of all interfaces, and MembershipSpace that of l3.Membership.
const (
	InterfaceSpace  = "interface"
	MembershipSpace = "table-member"
)

// Local0 is the index of what VPP has in place of no interface. It takes addresses,
// neighbours and virtual routers, of which none can work, and dies of packets.
const Local0 = 0

// None is VPP's word for no interface, and for all of them.
const None = ^uint32(0)

// ErrLocal0 is of a call that names Local0.
var ErrLocal0 = fmt.Errorf("%w: interface vpp:local0 is VPP's word for none, nothing can be reached by it; name another one", desiredstate.ErrForeign)

// MembershipKey is l3.MembershipKey.
func MembershipKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: MembershipSpace, Name: iface}
}

// AtHome is shared by what an interface has in the default table, in a family, of which VPP would leave something
// behind there if the interface left before it; a Membership holds it.
func AtHome(iface string, is6 bool) desiredstate.Key {
	return desiredstate.Key{Space: "place-in-default-table", Name: iface + " " + inet.Family(is6)}
}

// UseKeys are what is shared by what is on an interface that is in a table, in a family: [vppnet.UseKeys], and AtHome in the
// default table.
func UseKeys(iface, table string, is6 bool) []desiredstate.Key {
	keys := vppnet.UseKeys(iface)
	if table == "" {
		keys = append(keys, AtHome(iface, is6))
	}
	return keys
}

// InterfaceID is the index of an interface that a spec refers to.
func InterfaceID(v *desiredstate.View, name string) (uint32, error) {
	id, err := v.ID(vppnet.InterfaceKey(name))
	switch {
	case err != nil:
	case id == Local0:
		err = ErrLocal0
	default:
		err = vppnet.CheckNoOverlay(v, id, name)
	}
	return id, err
}

// InterfaceName is what a spec calls the interface with this index. One that has
// gone is known by its number, so that what refers to it can be removed.
func InterfaceName(v *desiredstate.View, id uint32) string {
	if name, ok := v.Name(InterfaceSpace, id); ok {
		return name
	}
	return vppnet.Foreign(fmt.Sprint(id))
}

// Deps are the dependencies of what hangs on an interface's place in a table:
// the interface and, unless that is the default table, its Membership and the table
// itself, whose number is looked up.
func Deps(iface, table string) []desiredstate.Key {
	deps := []desiredstate.Key{vppnet.InterfaceKey(iface)}
	if table != "" {
		deps = append(deps, MembershipKey(iface), TableKey(table))
	}
	return deps
}
