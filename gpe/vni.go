// SPDX-License-Identifier: Apache-2.0

package gpe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/ip"
	bridge "go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// VNI joins a bridge domain, or a table, to those of other VPPs that have the same number.
// VPP makes an interface for it, and puts it there. It is up, and nobody's.
type VNI struct {
	ID     uint32 // 1 to 16777215
	Bridge string // of MACs; it has one VNI at most
	Table  string // of prefixes, if there is no Bridge; not the default one. VPP keeps it for good
}

const (
	vniSpace    = "gpe-vni"
	bridgeSpace = "bridge-domain"
	tableSpace  = "table"

	maxVNI = 1<<24 - 1
)

// BridgeVNIKey is the key of the VNI of a bridge domain.
func BridgeVNIKey(id uint32) desiredstate.Key { return vniKey(id, true) }

// TableVNIKey is the key of the VNI of a table. It is another one than a bridge domain's of the same
// number.
func TableVNIKey(id uint32) desiredstate.Key { return vniKey(id, false) }

func vniKey(id uint32, l2 bool) desiredstate.Key {
	var text [len("bridge-16777215")]byte
	of := append(text[:0], "table-"...)
	if l2 {
		of = append(text[:0], "bridge-"...)
	}
	return desiredstate.Key{Space: vniSpace, Name: string(strconv.AppendUint(of, uint64(id), 10))}
}

// Key is BridgeVNIKey(n.ID) or TableVNIKey(n.ID).
func (n VNI) Key() desiredstate.Key { return vniKey(n.ID, n.Bridge != "") }

// Deps lists the Overlay, and the bridge domain or the table.
func (n VNI) Deps() []desiredstate.Key { return []desiredstate.Key{OverlayKey(), n.in()} }

func (n VNI) in() desiredstate.Key {
	if n.Bridge != "" {
		return vppnet.BridgeKey(n.Bridge)
	}
	return desiredstate.Key{Space: tableSpace, Name: n.Table}
}

// handle tells a bridge domain's VNI from a table's.
func (n VNI) handle() uint32 {
	if n.Bridge != "" {
		return n.ID
	}
	return 1<<31 | n.ID
}

// Validate checks number and names.
func (n VNI) Validate() error {
	if err := checkVNI(n.ID); err != nil {
		return err
	}
	switch {
	case n.Bridge != "" && n.Table != "":
		return errors.New("bridge domain and table: want one")
	case n.Bridge != "":
		return vppnet.CheckRef("bridge domain", n.Bridge)
	case n.Table == "" || n.Table == vppnet.Foreign("0"):
		return errors.New("no bridge domain, and no table but the default one, which VPP refuses")
	}
	return vppnet.CheckRef("table", n.Table)
}

func checkVNI(id uint32) error {
	if id < 1 || id > maxVNI {
		return fmt.Errorf("VNI %d, want 1 to %d", id, maxVNI)
	}
	return nil
}

// VNIs manages the VNIs of our bridge domains and tables, and what else is claimed, by
// "bridge-7" or "table-7" (lisp_eid_table_add_del_map). A VNI whose bridge domain or table
// changes is replaced. Before it goes, all EIDs that are in it go, whoever put them there:
// VPP would keep them, and could not take them away any more.
func VNIs(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[VNI] {
	k := &vnis{c: c, vpp: lisp.NewServiceClient(c), claims: claims, in: map[string]desiredstate.Key{}}
	return &desiredstate.Kind[VNI]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "vni",
		Requires: []desiredstate.AnyKind{overlays(c, false), vppnet.BridgeDomains(c), tables(c)},
		Messages: c.Uses(&lisp.LispEidTableMapDump{}, &lisp.LispEidTableAddDelMap{}, &lisp.LispEidTableDump{}, &lisp.LispLocatorSetDump{},
			&bridge.BridgeDomainDump{}, &ip.IPTableDump{}, &one.OneAddDelLocalEid{}, &one.OneAddDelRemoteMapping{}, &one.OneAddDelAdjacency{}, &interfaces.SwInterfaceDump{}),
		Dump:   k.dump,
		Verify: k.verify,
		Check: func(v *desiredstate.View, n VNI) error {
			in, err := v.ID(n.in())
			if err != nil {
				return nil //nolint:nilerr // it is still to come
			}
			if _, ours := v.Owned(n.in().Space, in); !vppnet.Ours(n.Key().Name, ours, k.claims) {
				return fmt.Errorf("%w: its %s is not, and it is not claimed: name one of ours, or give VNIs a vppnet.Claims of it", desiredstate.ErrForeign, n.in().Space)
			}
			return nil
		},
		Create: func(ctx context.Context, v *desiredstate.View, n VNI) (uint32, error) {
			in, err := v.ID(n.in())
			if err != nil {
				return 0, err
			}
			k.remember(n)
			return n.handle(), k.create(ctx, n, in)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[VNI]) error {
			return k.delete(ctx, have.Spec)
		},
		Holds: func(n VNI) []desiredstate.Key {
			return []desiredstate.Key{{Space: vniSpace + "-of", Name: n.in().String()}}
		},
	}
}

type vnis struct {
	c      *vppnet.Conn
	vpp    lisp.RPCService
	claims []vppnet.Claim

	mu sync.Mutex
	in map[string]desiredstate.Key // what each VNI was of when it was read, or made, by name
}

func (k *vnis) remember(n VNI) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.in[n.Key().Name] = n.in()
}

// verify says whether each VNI still is of what it was of: it has no mark of its own.
func (k *vnis) verify(ctx context.Context, held []desiredstate.Held) ([]bool, error) {
	now := map[string]uint32{} // what it is of, by name
	var requests []api.Message
	for _, l2 := range []bool{true, false} {
		all, err := k.all(ctx, l2)
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			now[vniKey(d.Vni, l2).Name] = d.DpTable
			if l2 {
				requests = append(requests, &bridge.BridgeDomainDump{BdID: d.DpTable, SwIfIndex: 1<<32 - 1})
			}
		}
	}
	answers, err := vppnet.Ask(ctx, k.c, append(requests, &ip.IPTableDump{})...)
	if err != nil {
		return nil, err
	}
	marks := map[string][]vppnet.Named{} // by space and number
	mark := func(space string, id uint32, tag string) {
		at := fmt.Sprint(space, id)
		marks[at] = append(marks[at], vppnet.Named{Tag: strings.TrimRight(tag, "\x00"), VPP: fmt.Sprint(id)})
	}
	for _, m := range answers {
		switch d := m.(type) {
		case *bridge.BridgeDomainDetails:
			mark(bridgeSpace, d.BdID, d.BdTag)
		case *ip.IPTableDetails:
			mark(tableSpace, d.Table.TableID, d.Table.Name)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	same := make([]bool, len(held))
	for i, h := range held {
		in, known := k.in[h.Key.Name]
		id, there := now[h.Key.Name]
		same[i] = known && there && slices.ContainsFunc(marks[fmt.Sprint(in.Space, id)], func(n vppnet.Named) bool { return k.c.Is(in.Name, n) })
	}
	return same, nil
}

func (k *vnis) all(ctx context.Context, l2 bool) ([]*lisp.LispEidTableMapDetails, error) {
	return vppnet.Collect(k.vpp.LispEidTableMapDump(ctx, &lisp.LispEidTableMapDump{IsL2: l2}))
}

func (k *vnis) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[VNI], err error) {
	for _, l2 := range []bool{true, false} {
		all, err := k.all(ctx, l2)
		if err != nil {
			return nil, err
		}
		space := tableSpace
		if l2 {
			space = bridgeSpace
		}
		for _, d := range all {
			if d.Vni < 1 || d.Vni > maxVNI {
				continue // VPP's own, or none that we could want
			}
			name, ours := v.Owned(space, d.DpTable)
			if name == "" {
				name = vppnet.Foreign(fmt.Sprint(d.DpTable))
			}
			n := VNI{ID: d.Vni, Table: name}
			if l2 {
				n = VNI{ID: d.Vni, Bridge: name}
			}
			k.remember(n)
			out = append(out, desiredstate.Actual[VNI]{ID: n.handle(), Foreign: !vppnet.Ours(n.Key().Name, ours, k.claims), Spec: n})
		}
	}
	return out, nil
}

func (k *vnis) create(ctx context.Context, n VNI, in uint32) error {
	l2 := n.Bridge != ""
	_, err := k.vpp.LispEidTableAddDelMap(ctx, &lisp.LispEidTableAddDelMap{IsAdd: true, Vni: n.ID, DpTable: in, IsL2: l2})
	if errors.Is(err, api.UNSPECIFIED) {
		err = fmt.Errorf("somebody has the VNI, or has one for the same, by now: %w", err)
	}
	if err != nil {
		return err
	}
	name, device := fmt.Sprintf("lisp_gpe%d", n.ID), "LISP_GPE"
	if l2 {
		name, device = "l2_"+name, "L2_LISP_GPE"
	}
	all, err := vppnet.Collect(interfaces.NewServiceClient(k.c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{
		SwIfIndex: 1<<32 - 1, NameFilterValid: true, NameFilter: name,
	}))
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.InterfaceName == name && d.InterfaceDevType != device {
			return errors.Join(fmt.Errorf("VPP has used the interface of a VNI that is gone, index %d, for it; that was a %s, and it has to be a %s, so it would drop "+
				"all: do without VNIs of both sorts that come and go, or restart VPP", d.SwIfIndex, d.InterfaceDevType, device), k.unmap(ctx, n))
		}
	}
	return nil
}

// delete looks what the VNI is mapped to by now, as VPP does not.
func (k *vnis) delete(ctx context.Context, n VNI) error {
	eids, err := vppnet.Collect(k.vpp.LispEidTableDump(ctx, &lisp.LispEidTableDump{}))
	if err != nil {
		return err
	}
	vpp := newEIDs(k.c)
	for _, d := range eids {
		e, ok := readEID(d.Seid)
		if d.Vni != n.ID || !ok || e.MAC.IsZero() == (n.Bridge != "") {
			continue
		}
		if d.IsLocal {
			err = vpp.removeLocal(ctx, d.Vni, e)
		} else {
			err = vpp.removeRemote(ctx, d.Vni, e)
		}
		if err != nil {
			return err
		}
	}
	return k.unmap(ctx, n)
}

func (k *vnis) unmap(ctx context.Context, n VNI) error {
	l2 := n.Bridge != ""
	all, err := k.all(ctx, l2)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Vni == n.ID {
			_, err := k.vpp.LispEidTableAddDelMap(ctx, &lisp.LispEidTableAddDelMap{Vni: n.ID, DpTable: d.DpTable, IsL2: l2})
			return err
		}
	}
	return nil
}

// table is a table of VPP's, by the name that package l3 gives it.
type table struct{ name string }

func (t table) Key() desiredstate.Key    { return desiredstate.Key{Space: tableSpace, Name: t.name} }
func (t table) Deps() []desiredstate.Key { return nil }
func (t table) Validate() error          { return errors.New("package l3 makes tables") }

// tables knows VPP's tables by name, for those that refer to them.
func tables(c *vppnet.Conn) *desiredstate.Kind[table] {
	return &desiredstate.Kind[table]{
		Target:   c.Target(),
		Name:     "overlay-table",
		Messages: c.Uses(&ip.IPTableDump{}, &ip.IPMtableDump{}, &memclnt.ControlPing{}),
		Dump: func(ctx context.Context, _ *desiredstate.View) (out []desiredstate.Actual[table], err error) {
			all, err := iface.Tables(ctx, c)
			var marks []vppnet.Named
			var ids []uint32
			seen := map[uint32]int{}
			for _, d := range all {
				if d.Kept {
					continue
				}
				n := vppnet.Named{Tag: d.Tag, VPP: fmt.Sprint(d.TableID)}
				at, twice := seen[d.TableID] // its other family
				if !twice {
					seen[d.TableID] = len(marks)
					marks, ids = append(marks, n), append(ids, d.TableID)
				} else if _, ours := c.Untag(n.Tag); ours || !marks[at].Owned() {
					marks[at] = n
				}
			}
			for i, n := range c.Names(marks...) {
				out = append(out, desiredstate.Actual[table]{Spec: table{n.Name}, ID: ids[i], Foreign: !n.Ours, Leftover: n.Surplus})
			}
			return out, err
		},
	}
}
