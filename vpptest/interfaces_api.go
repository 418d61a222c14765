// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"strings"

	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
)

func (s *interfaces) setFlags(_ *Call, q *interfaces_api.SwInterfaceSetFlags) *interfaces_api.SwInterfaceSetFlagsReply {
	r := new(interfaces_api.SwInterfaceSetFlagsReply)
	if i := s.at(q.SwIfIndex); i == nil {
		r.Retval = invalidInterface
	} else {
		r.Retval = s.setAdmin(i, q.Flags&interface_types.IF_STATUS_API_FLAG_ADMIN_UP != 0)
	}
	return r
}

func (s *interfaces) setTag(_ *Call, q *interfaces_api.SwInterfaceTagAddDel) *interfaces_api.SwInterfaceTagAddDelReply {
	r := new(interfaces_api.SwInterfaceTagAddDelReply)
	switch i := s.at(q.SwIfIndex); {
	case i == nil:
		r.Retval = invalidInterface
	case !q.IsAdd:
		i.tag = ""
	case q.Tag == "":
		r.Retval = invalidValue
	default:
		i.tag = cut(q.Tag, 63)
	}
	return r
}

// setName has two faults of VPP: names need not be unique, and a sub-interface
// renames local0.
func (s *interfaces) setName(_ *Call, q *interfaces_api.SwInterfaceSetInterfaceName) *interfaces_api.SwInterfaceSetInterfaceNameReply {
	r := new(interfaces_api.SwInterfaceSetInterfaceNameReply)
	switch i := s.at(q.SwIfIndex); {
	case i == nil:
		r.Retval = invalidInterface
	case q.Name == "":
		r.Retval = invalidValue
	case i.sub != nil:
		s.all[0].name = cut(q.Name, 63)
	default:
		i.name = cut(q.Name, 63)
	}
	return r
}

func (s *interfaces) setMAC(_ *Call, q *interfaces_api.SwInterfaceSetMacAddress) *interfaces_api.SwInterfaceSetMacAddressReply {
	r := new(interfaces_api.SwInterfaceSetMacAddressReply)
	switch i := s.at(q.SwIfIndex); {
	case i == nil:
		r.Retval = invalidInterface
	case i.sub != nil || !i.class.setMAC:
		r.Retval = unimplemented
	default:
		old := i.mac
		i.mac = q.MacAddress
		for _, f := range s.changed {
			f(i, old)
		}
	}
	return r
}

func (s *interfaces) readMAC(_ *Call, q *interfaces_api.SwInterfaceGetMacAddress) *interfaces_api.SwInterfaceGetMacAddressReply {
	r := new(interfaces_api.SwInterfaceGetMacAddressReply)
	if i := s.at(q.SwIfIndex); i == nil {
		r.Retval = invalidInterface
	} else {
		r.MacAddress = i.hw.mac
	}
	return r
}

func (s *interfaces) setMTU(_ *Call, q *interfaces_api.SwInterfaceSetMtu) *interfaces_api.SwInterfaceSetMtuReply {
	r := new(interfaces_api.SwInterfaceSetMtuReply)
	if i := s.at(q.SwIfIndex); i == nil {
		r.Retval = invalidInterface
	} else {
		copy(i.mtu[:], q.Mtu)
	}
	return r
}

// setDeviceMTU also sets the L3 MTU of the device and of all its sub-interfaces, and theirs.
func (s *interfaces) setDeviceMTU(_ *Call, q *interfaces_api.HwInterfaceSetMtu) *interfaces_api.HwInterfaceSetMtuReply {
	r := new(interfaces_api.HwInterfaceSetMtuReply)
	switch i := s.at(q.SwIfIndex); {
	case i == nil:
		r.Retval = invalidInterface
	case i.sub != nil:
		r.Retval = invalidValue
	case i.class.l3:
		r.Retval = featureDisabled
	case i.linkMTU == q.Mtu:
	case i.class.mtu != 0:
		r.Retval = i.class.mtu
	case q.Mtu < i.class.mtuRange[0] || q.Mtu > i.class.mtuRange[1]:
		r.Retval = syscallError1
	default:
		i.linkMTU, i.mtu[0] = q.Mtu, uint32(q.Mtu)
		for _, g := range i.goes {
			if sub := s.at(indexAt(g.index)); sub != nil {
				sub.mtu[0] = uint32(q.Mtu)
			}
		}
	}
	return r
}

// details answers sw_interface_dump: one interface, those whose name contains the
// filter, or, for ~0 and for 0, all.
func (s *interfaces) details(_ *Call, q *interfaces_api.SwInterfaceDump) []*interfaces_api.SwInterfaceDetails {
	if !q.NameFilterValid && q.SwIfIndex != none && q.SwIfIndex != 0 {
		if i := s.at(q.SwIfIndex); i != nil {
			return []*interfaces_api.SwInterfaceDetails{s.detail(i)}
		}
		return nil
	}
	var out []*interfaces_api.SwInterfaceDetails
	filter := lower(cut(strings.TrimRight(q.NameFilter, "\x00"), 63))
	for _, i := range s.all {
		if i == nil || q.NameFilterValid && !strings.Contains(lower(i.title()), filter) {
			continue
		}
		out = append(out, s.detail(i))
	}
	return out
}

func (s *interfaces) detail(i *iface) *interfaces_api.SwInterfaceDetails {
	d := &interfaces_api.SwInterfaceDetails{
		SwIfIndex:        interface_types.InterfaceIndex(i.index),
		SupSwIfIndex:     i.sup.index,
		Flags:            i.flags(),
		LinkSpeed:        i.hw.speed,
		LinkMtu:          i.hw.linkMTU,
		Mtu:              i.mtu[:],
		InterfaceName:    cut(i.title(), 63),
		InterfaceDevType: i.hw.class.devType,
		Tag:              i.tag,
	}
	if i.sub != nil {
		i.sub.describe(d)
	} else if !i.class.l3 {
		d.L2Address = i.mac
	}
	for _, f := range s.describe {
		f(i, d)
	}
	return d
}

// cut shortens a string to n bytes, as VPP does to keep its final NUL.
func cut(s string, n int) string { return s[:min(len(s), n)] }

func family(isIPv6 bool) int {
	if isIPv6 {
		return 1
	}
	return 0
}

// lower is a text in lower case, byte by byte: VPP's texts need not be ones.
func lower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
