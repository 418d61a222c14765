// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.fd.io/govpp/binapi/fib_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Path is one way of a Route. What is set says which:
//
//	Path{Interface: "up", NextHop: hop}  the neighbour hop on the link of up
//	Path{Interface: "up"}                whoever has the address on the link of up
//	Path{NextHop: hop}                   the way to hop, in the route's own table
//	Path{NextHop: hop, Table: "blue"}    the way to hop, in another table
//	Path{Table: "blue"}                  looked up again, in another table
//	Path{Local: true}                    VPP itself
//
// There is no path that answers with ICMP: a VPP 25.10 dies of one.
type Path struct {
	NextHop   netip.Addr
	Interface string
	Table     string // DefaultTable is one too; "": the route's own
	Local     bool

	// Weight is this path's share of the flows: 3 gets three times as many as 1.
	// 0 is 1.
	Weight uint8

	// Preference: paths of the lowest value are used, others when those are gone.
	Preference uint8

	odd string // as read: what no Path can say
}

// String returns the path as in "192.0.2.1 by up, weight 3".
func (p Path) String() string {
	var words []string
	say := func(ok bool, format string, args ...any) {
		if ok {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	say(p.Local, "local")
	say(p.NextHop.IsValid(), "%v", p.NextHop)
	say(p.Interface != "", "by %s", p.Interface)
	say(p.Table != "", "in table %s", p.Table)
	say(p.odd != "", "%s", p.odd)
	text := strings.Join(words, " ")
	if p.Weight > 1 {
		text += fmt.Sprintf(", weight %d", p.Weight)
	}
	if p.Preference > 0 {
		text += fmt.Sprintf(", preference %d", p.Preference)
	}
	return text
}

func (p Path) check(table string, prefix netip.Prefix) error {
	is6 := prefix.Addr().Is6()
	if p.NextHop.IsValid() {
		if err := inet.CheckHost("next hop", p.NextHop); err != nil {
			return err
		}
	}
	if p.Interface != "" {
		if err := vppnet.CheckRef(place.InterfaceSpace, p.Interface); err != nil {
			return err
		}
	}
	switch {
	case p.Local:
		if p.NextHop.IsValid() || p.Interface != "" || p.Table != "" {
			return errors.New("a local path has neither next hop nor interface nor table")
		}
		return nil
	case p.Interface != "" && p.Table != "":
		return errors.New("a path by an interface has no table")
	case p.Interface == "" && p.Table == "" && !p.NextHop.IsValid():
		return errors.New("a path leads to a next hop, an interface, a table or is local; a route that drops has no path")
	case p.NextHop.IsValid() && p.NextHop.Is6() && !is6 && p.Interface == "":
		return errors.New("an IPv6 next hop of an IPv4 route needs its interface")
	case p.NextHop.IsValid() && p.NextHop.Is4() && is6:
		return errors.New("an IPv6 route has no IPv4 next hop")
	case p.NextHop.IsLinkLocalUnicast() && p.NextHop.Is6() && p.Interface == "":
		return errors.New("a link-local next hop needs its interface")
	case p.NextHop == prefix.Addr() && p.Interface == "":
		return fmt.Errorf("next hop %v is the route's own address: VPP would drop", p.NextHop)
	case p.Table != "" && (p.Table == table || p.Table == DefaultTable && table == ""):
		return fmt.Errorf("table %s is the route's own: leave it open", p.Table)
	case p.Table != "" && p.Table != DefaultTable:
		return place.CheckTable(p.Table)
	}
	return nil
}

// deps adds what the path leads to.
func (p Path) deps(deps []desiredstate.Key) []desiredstate.Key {
	if p.Interface != "" {
		deps = append(deps, vppnet.InterfaceKey(p.Interface))
	}
	if p.Table != DefaultTable {
		deps = append(deps, place.TableDeps(p.Table)...)
	}
	return deps
}

// normal is the path to a prefix with the defaults filled in, as VPP does: a host
// on an interface's link is its own next hop.
func (p Path) normal(prefix netip.Prefix) Path {
	p.Weight = max(p.Weight, 1)
	if p.Interface != "" && !p.NextHop.IsValid() && p.odd == "" && prefix.IsSingleIP() {
		p.NextHop = prefix.Addr()
	}
	return p
}

func (p Path) compare(o Path) int {
	local := func(p Path) int {
		if p.Local {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(p.Preference, o.Preference), p.NextHop.Compare(o.NextHop), cmp.Compare(p.Interface, o.Interface),
		cmp.Compare(p.Table, o.Table), cmp.Compare(local(p), local(o)), cmp.Compare(p.odd, o.odd), cmp.Compare(p.Weight, o.Weight),
	)
}

// samePaths says whether two lists are one set of ways to a prefix.
func samePaths(prefix netip.Prefix, a, b []Path) bool {
	sorted := func(list []Path) []Path {
		out := make([]Path, len(list))
		for i, p := range list {
			out[i] = p.normal(prefix)
		}
		slices.SortFunc(out, Path.compare)
		return out
	}
	return slices.Equal(sorted(a), sorted(b))
}

// hasFamily refuses a table, of ours or of others, that will not have a family, during a Check.
func hasFamily(v *desiredstate.View, table string, is6 bool) error {
	if table == "" || table == DefaultTable {
		return nil
	}
	if t, known := v.Known(TableKey(table)).(Table); known && (is6 && t.NoIPv6 || !is6 && t.NoIPv4) {
		return fmt.Errorf("%w: table %s has no %s: make it with both families, or lead elsewhere", desiredstate.ErrConflict, table, inet.Family(is6))
	}
	return nil
}

// wire is the path as VPP wants it, in a route of a table with this number.
func (p Path) wire(v *desiredstate.View, own uint32, is6 bool) (out fib_types.FibPath, err error) {
	out = fib_types.FibPath{SwIfIndex: place.None, Weight: max(p.Weight, 1), Preference: p.Preference}
	if is6 {
		out.Proto = fib_types.FIB_API_PATH_NH_PROTO_IP6
	}
	if p.Local {
		out.Type = fib_types.FIB_API_PATH_TYPE_LOCAL
		return out, nil
	}
	if p.NextHop.IsValid() {
		out.Nh.Address = inet.Address(p.NextHop).Un
		if p.NextHop.Is6() {
			out.Proto = fib_types.FIB_API_PATH_NH_PROTO_IP6
		}
	}
	switch {
	case p.Interface != "":
		out.SwIfIndex, err = place.InterfaceID(v, p.Interface)
	case p.Table == DefaultTable:
	case p.Table != "":
		out.TableID, err = v.ID(TableKey(p.Table))
	default:
		out.TableID = own
	}
	return out, err
}

// recursive tells whether VPP looks the next hop up. Of what no Path can say, it may.
func (p Path) recursive() bool { return p.odd != "" || p.NextHop.IsValid() && p.Interface == "" }

// pin is what is odd of the one path of what a detour left.
const pin = "pin"

// drop is what a route without paths has in VPP.
func drop(is6 bool) fib_types.FibPath {
	p := fib_types.FibPath{SwIfIndex: place.None, Weight: 1, Type: fib_types.FIB_API_PATH_TYPE_DROP}
	if is6 {
		p.Proto = fib_types.FIB_API_PATH_NH_PROTO_IP6
	}
	return p
}

func isDrop(p fib_types.FibPath) bool {
	return p.Type == fib_types.FIB_API_PATH_TYPE_DROP && p.SwIfIndex == place.None && p.NLabels == 0
}

// readPath is what VPP has, in a route of a table with this number.
func readPath(v *desiredstate.View, own uint32, p fib_types.FibPath) Path {
	out := Path{Weight: p.Weight, Preference: p.Preference}
	is6 := p.Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6
	switch hop := inet.ReadUnion(p.Nh.Address, is6); {
	case p.Proto != fib_types.FIB_API_PATH_NH_PROTO_IP4 && !is6, p.NLabels > 0, p.Flags != 0:
		out.odd = fmt.Sprintf("type %d, protocol %d, flags %d, %d labels", p.Type, p.Proto, p.Flags, p.NLabels)
		return out
	case p.Type == fib_types.FIB_API_PATH_TYPE_LOCAL && p.SwIfIndex == place.None:
		out.Local = true
		return out
	case p.Type != fib_types.FIB_API_PATH_TYPE_NORMAL:
		out.odd = fmt.Sprintf("type %d", p.Type)
		return out
	case !hop.IsUnspecified():
		out.NextHop = hop
	}
	switch {
	case p.SwIfIndex != place.None:
		out.Interface = place.InterfaceName(v, p.SwIfIndex)
	case p.TableID == own && out.NextHop.IsValid():
	case p.TableID == 0:
		out.Table = DefaultTable
	default:
		out.Table, _ = place.TableName(v, p.TableID)
	}
	return out
}
