// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Table is a VRF: an IPv4 and an IPv6 table of routes of one number, whose
// interfaces and addresses no other table knows. The zero value has both families.
type Table struct {
	Name string
	ID   uint32 // the number that VPP knows it by, 1 to 4294967294; 0: VPP picks

	NoIPv4 bool // there is no IPv4 table
	NoIPv6 bool // there is no IPv6 table
}

type tableNote string

// halfShared is the Note of a table of whose number the other family is somebody else's.
const halfShared tableNote = "the other family is somebody else's"

// DefaultTable is the name of the table that VPP always has, number 0, which is
// nobody's. Where a spec has a Table, "" stands for it, and the name is refused.
const DefaultTable = place.DefaultTable

// TableKey is the key of a table. One that is not ours is named by its owner's tag,
// "owner/name", or by its number, "vpp:7".
func TableKey(name string) desiredstate.Key { return place.TableKey(name) }

// Key is TableKey(t.Name).
func (t Table) Key() desiredstate.Key { return TableKey(t.Name) }

// Deps is empty.
func (t Table) Deps() []desiredstate.Key { return nil }

// Validate checks name, number and families.
func (t Table) Validate() error {
	if err := vppnet.CheckName(t.Name); err != nil {
		return err
	}
	switch {
	case t.ID == ^uint32(0):
		return fmt.Errorf("ID %d is VPP's word for none", t.ID)
	case t.NoIPv4 && t.NoIPv6:
		return errors.New("neither IPv4 nor IPv6: that is no table at all")
	}
	return nil
}

// Tables manages tables (ip_table_add_del_v2, ip_table_allocate). A family is
// added in place; another ID, or one family less, replaces.
//
// What is in a table of ours is ours, whoever put it there: API routes that are
// still in a table when it goes, go with it. One whose end VPP would die of stays
// (desiredstate.ErrInUse): with an interface or a relay of DHCPv6 in it, with a tunnel in it, or with others' routes
// from it to the links of another table's interfaces. VPP keeps a table for as long as what else somebody has
// configured needs it, under our name, and one that NAT was on with for good. What we have let go is not shown,
// and a table of that name takes it again. VPP does not refuse
// an ID that is taken, so it is asked for those that are, right before one is made.
func Tables(c *vppnet.Conn) *desiredstate.Kind[Table] {
	k := tables{c: c, vpp: ip.NewServiceClient(c)}
	k.taken, k.left, k.inside = shared.NewRound(k.numbers), shared.NewRound(k.leftRoutes), shared.NewRound(k.entered)
	return vppnet.Labelled(c, &desiredstate.Kind[Table]{
		Target: c.Target(),
		Name:   place.TableSpace,
		Messages: c.Uses(&ip.IPTableDump{}, &ip.IPMtableDump{}, &memclnt.ControlPing{}, &ip.IPTableAddDelV2{}, &ip.IPTableAllocate{},
			&ip.IPRouteV2Dump{}, &ip.IPRouteLookupV2{}, &ip.IPRouteAddDelV2{}, &interfaces.SwInterfaceDump{}, &interfaces.SwInterfaceGetTable{}),
		Dump:   vppnet.Reread(c, k.dump),
		Verify: vppnet.Verifier(c, k.marks),
		Create: func(ctx context.Context, _ *desiredstate.View, t Table) (uint32, error) {
			return k.create(ctx, t)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Table], want Table) error {
			if want.ID = have.ID; have.Note == halfShared {
				return fmt.Errorf("%w: the other family of table number %d: take another number, or have that one removed", desiredstate.ErrForeign, want.ID)
			}
			skip4, skip6 := want.NoIPv4 || !have.Spec.NoIPv4, want.NoIPv6 || !have.Spec.NoIPv6
			tag, err := k.c.Tag(want.Name)
			if err != nil {
				return err
			}
			if err := k.free(ctx, want.ID, tag, skip4, skip6); err != nil {
				return err
			}
			return k.add(ctx, want, skip4, skip6)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Table]) error {
			return k.delete(ctx, have)
		},
		Fill: func(have desiredstate.Actual[Table], want Table) Table {
			if want.ID == 0 {
				want.ID = have.Spec.ID
			}
			return want
		},
		InPlace: func(have desiredstate.Actual[Table], want Table) bool {
			return have.Spec.ID == want.ID && (have.Spec.NoIPv4 || !want.NoIPv4) && (have.Spec.NoIPv6 || !want.NoIPv6)
		},
		// One owner's number is one table's, of which VPP shows both families together; of two owners each may have one.
		Holds: func(t Table) (all []desiredstate.Key) {
			if t.ID == 0 {
				return nil
			}
			if vppnet.CheckName(t.Name) == nil { // ours
				all = append(all, desiredstate.Key{Space: "table-id", Name: strconv.FormatUint(uint64(t.ID), 10)})
			}
			if !t.NoIPv4 {
				all = append(all, desiredstate.Key{Space: "table-id", Name: number(t.ID, false)})
			}
			if !t.NoIPv6 {
				all = append(all, desiredstate.Key{Space: "table-id", Name: number(t.ID, true)})
			}
			return all
		},
	}, nil)
}

type tables struct {
	c     *vppnet.Conn
	vpp   ip.RPCService
	taken *shared.Round[map[string]iface.Table] // see numbers
	left  *shared.Round[[]leftRoute]

	inside *shared.Round[map[ip.IPTable]string] // see entered
}

// numbers are anybody's tables, by number and family: VPP gives us another's table for one of ours, and
// takes another's for ours.
func (k tables) numbers(ctx context.Context) (map[string]iface.Table, error) {
	all, err := iface.Tables(ctx, k.c)
	taken := make(map[string]iface.Table, len(all))
	for _, t := range all {
		taken[number(t.TableID, t.IsIP6)] = t
	}
	return taken, err
}

// free refuses a number of which somebody has a family that is not to be skipped. What VPP has kept by
// this tag is free.
func (k tables) free(ctx context.Context, id uint32, tag string, skip4, skip6 bool) error {
	taken, err := k.taken.Join(ctx)
	if err != nil {
		return err
	}
	for _, f := range []struct{ skip, is6 bool }{{skip4, false}, {skip6, true}} {
		if t, is := taken[number(id, f.is6)]; is && !f.skip && !(t.Kept && t.Tag == tag) {
			return fmt.Errorf("%w: somebody has an %s table of number %d by now: take another number", desiredstate.ErrForeign, inet.Family(f.is6), id)
		}
	}
	return nil
}

// number is a family of a table's number.
func number(id uint32, is6 bool) string {
	return inet.Family(is6) + " " + strconv.FormatUint(uint64(id), 10)
}

// read joins the two families of a number. If they are of two owners, the number stands
// for us, else for who tagged one. For names, the tables have tags.
func (k tables) read(ctx context.Context) (out []desiredstate.Actual[Table], marks []vppnet.Named, err error) {
	found := map[uint32][]Table{} // by number
	all, err := iface.Tables(ctx, k.c)
	for _, d := range all {
		if d.Kept {
			continue
		}
		id, tag := d.TableID, d.Tag
		if !(vppnet.Named{Tag: tag}).Owned() {
			tag = "" // VPP's own, other for each family
		}
		at := slices.IndexFunc(found[id], func(t Table) bool { return t.Name == tag })
		if at < 0 {
			at = len(found[id])
			found[id] = append(found[id], Table{Name: tag, ID: id, NoIPv4: true, NoIPv6: true})
		}
		if t := &found[id][at]; d.IsIP6 {
			t.NoIPv6 = false
		} else {
			t.NoIPv4 = false
		}
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		t := slices.MaxFunc(found[id], func(a, b Table) int { return cmp.Compare(k.rank(a), k.rank(b)) })
		marks = append(marks, vppnet.Named{Tag: t.Name, VPP: fmt.Sprint(id)})
		a := desiredstate.Actual[Table]{ID: id, Spec: t}
		if len(found[id]) > 1 {
			a.Note = halfShared
		}
		out = append(out, a)
	}
	return out, marks, err
}

func (k tables) dump(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[Table], error) {
	out, marks, err := k.read(ctx)
	for i, n := range k.c.Names(marks...) {
		out[i].Spec.Name, out[i].Foreign, out[i].Leftover = n.Name, !n.Ours, n.Surplus
	}
	return out, err
}

// marks are how all tables are tagged and called, by number.
func (k tables) marks(ctx context.Context, _ []uint32) (map[uint32]vppnet.Named, error) {
	all, marks, err := k.read(ctx)
	at := make(map[uint32]vppnet.Named, len(all))
	for i, t := range all {
		at[t.ID] = marks[i]
	}
	return at, err
}

// rank says who has a number first.
func (k tables) rank(t Table) int {
	switch _, ours := k.c.Untag(t.Name); {
	case ours:
		return 2
	case t.Name != "":
		return 1
	}
	return 0
}

func (k tables) create(ctx context.Context, t Table) (uint32, error) {
	tag, err := k.c.Tag(t.Name)
	if err != nil {
		return 0, err
	}
	if t.ID == 0 {
		if t.ID, err = k.again(ctx, tag); err != nil {
			return 0, err
		}
	}
	if t.ID != 0 {
		if err := k.free(ctx, t.ID, tag, t.NoIPv4, t.NoIPv6); err != nil {
			return 0, err
		}
		return t.ID, k.add(ctx, t, t.NoIPv4, t.NoIPv6)
	}
	r, err := k.vpp.IPTableAllocate(ctx, &ip.IPTableAllocate{
		Table: ip.IPTable{TableID: ^uint32(0), IsIP6: t.NoIPv4, Name: tag},
	})
	if err != nil {
		return 0, err
	}
	t.ID = r.Table.TableID
	// If this is refused, the next reading finds a table with one family, by its name.
	return t.ID, k.add(ctx, t, true, t.NoIPv4 || t.NoIPv6)
}

// again is the number of what VPP has kept by a tag, all of whose number is by that tag; 0: none.
func (k tables) again(ctx context.Context, tag string) (id uint32, err error) {
	taken, err := k.taken.Join(ctx)
	for _, t := range taken {
		other, is := taken[number(t.TableID, !t.IsIP6)]
		if t.Kept && t.Tag == tag && (!is || other.Kept && other.Tag == tag) && (id == 0 || t.TableID < id) {
			id = t.TableID
		}
	}
	return id, err
}

// add makes the families that are not to be skipped.
func (k tables) add(ctx context.Context, t Table, skip4, skip6 bool) error {
	tag, err := k.c.Tag(t.Name)
	if err != nil {
		return err
	}
	for _, f := range []struct{ skip, is6 bool }{{skip4, false}, {skip6, true}} {
		if f.skip {
			continue
		}
		_, err := k.vpp.IPTableAddDelV2(ctx, &ip.IPTableAddDelV2{
			IsAdd: true, CreateMfib: true, Table: ip.IPTable{TableID: t.ID, IsIP6: f.is6, Name: tag},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// delete empties the table first, once nobody is in it: routes do not keep a table, and what is left in
// one that goes is in the next that is made. What VPP would die of keeps both families.
// One that has our tag no more is somebody else's by now.
func (k tables) delete(ctx context.Context, have desiredstate.Actual[Table]) error {
	tags, err := k.taken.Join(ctx)
	if err != nil {
		return err
	}
	var families []ip.IPTable
	for _, f := range []struct{ skip, is6 bool }{{have.Spec.NoIPv4, false}, {have.Spec.NoIPv6, true}} {
		if _, ours := k.c.Untag(tags[number(have.ID, f.is6)].Tag); ours && !f.skip {
			families = append(families, ip.IPTable{TableID: have.ID, IsIP6: f.is6})
		}
	}
	if err := k.deserted(ctx, families); err != nil {
		return err
	}
	for _, t := range families {
		if err := k.empty(ctx, t); err != nil {
			return err
		}
	}
	for _, t := range families {
		if _, err := k.vpp.IPTableAddDelV2(ctx, &ip.IPTableAddDelV2{Table: t, CreateMfib: true}); err != nil {
			return err
		}
	}
	return nil
}

// empty takes the API's routes out of a table, and reports what else there is that must not be when it ends.
func (k tables) empty(ctx context.Context, t ip.IPTable) error {
	left, err := vppnet.Collect(k.vpp.IPRouteV2Dump(ctx, &ip.IPRouteV2Dump{Src: sourceAPI, Table: t}))
	if err != nil {
		return err
	}
	for _, d := range left {
		_, err := change(ctx, k.c, unroute(t.TableID, inet.ReadPrefix(d.Route.Prefix)), slices.ContainsFunc(d.Route.Paths, recursive))
		if err != nil {
			return err
		}
	}
	if left, err = vppnet.Collect(k.vpp.IPRouteV2Dump(ctx, &ip.IPRouteV2Dump{Table: t})); err != nil {
		return err
	}
	for _, d := range left {
		if d.Route.Src == sourceRecursive { // VPP dies when a table ends under a tunnel
			return fmt.Errorf("%w: somebody follows %s in %s table %d, a tunnel perhaps, and VPP would die; end that first",
				desiredstate.ErrInUse, d.Route.Prefix, inet.Family(t.IsIP6), t.TableID)
		}
	}
	if err := k.untold(ctx, t, left); err != nil {
		return err
	}
	return k.unfollowed(ctx, t.TableID, t.IsIP6)
}

// sourceAPI marks what the API put into a table, ours or not, as VPP numbers it.
const sourceAPI = 8

// sourceRecursive marks what VPP follows for a path or a tunnel, where nothing else is said
// of it.
const sourceRecursive = 18
