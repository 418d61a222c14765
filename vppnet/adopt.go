// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
)

// Most interfaces get their tag with a second message. Whoever dies between the
// two leaves an orphan: an interface without a tag that nobody has touched. So
// that it is neither leaked nor in the way for ever, the next create of an object
// like it takes it over. That costs an ordinary create nothing: the engine reads
// what is in doubt before it tries again, so a dump has seen the orphan by then.

// Orphan says how a kind tells an interface that a Create of its own left.
type Orphan[S desiredstate.Object] struct {
	// Up: VPP makes such interfaces admin up. One that is not as it was made has
	// been touched, and is somebody's.
	Up bool

	// Like says whether a create of want makes what have is. Have was found, so
	// its name is VPP's; what want leaves to VPP is filled in, see Kind.Fill.
	Like func(have, want S) bool
}

// Tagged completes a kind of interfaces that VPP makes without a tag, and returns
// it. The kind's Create makes the interface, and no more. Dump lists what there
// is by VPP's index, named as the Interface with that index is, and need not mind
// one that has gone since. Delete works with the index and what the object itself
// says. Tagged adds:
//
//   - to Requires, Interfaces;
//   - to Create, the tag (sw_interface_tag_add_del). If VPP refuses it, or ctx
//     ends, Delete is called, and has five seconds;
//   - to Dump, whose each object is. Orphans are left out; an object that Dump
//     itself calls Foreign is not one;
//   - that Create takes over an orphan like the wanted object, if it is still as
//     it was found and in no bridge domain. If an orphan that is otherwise made,
//     or in use, Holds what the object wants to hold, it is desiredstate.ErrForeign.
//
// A kind whose create carries the tag does not need it.
func Tagged[S desiredstate.Object](c *Conn, k *desiredstate.Kind[S], o Orphan[S]) *desiredstate.Kind[S] {
	t := &tagged[S]{c: c, Orphan: o, holds: k.Holds, fill: k.Fill}
	if t.holds == nil {
		t.holds = func(S) []desiredstate.Key { return nil }
	}
	if t.fill == nil {
		t.fill = func(_, want S) S { return want }
	}
	k.Requires = append([]desiredstate.AnyKind{Interfaces(c)}, k.Requires...)
	k.Messages = append(k.Messages, c.Uses(&interfaces.SwInterfaceTagAddDel{}, &interfaces.SwInterfaceDump{}, &l2.BridgeDomainDump{})...)
	dump, create := k.Dump, k.Create
	k.Dump = func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[S], error) {
		found, err := dump(ctx, v)
		return t.sift(v, found), err
	}
	k.Create = func(ctx context.Context, v *desiredstate.View, want S) (uint32, error) {
		name := want.Key().Name
		if _, err := c.Tag(name); err != nil {
			return 0, err
		}
		if id, ok, err := t.adopt(ctx, want); ok || err != nil {
			return id, err
		}
		id, err := create(ctx, v, want)
		if err != nil {
			return 0, err
		}
		if err = c.tag(ctx, id, name); err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return 0, errors.Join(err, k.Delete(ctx, v, desiredstate.Actual[S]{Spec: want, ID: id}))
		}
		return id, nil
	}
	return k
}

// tagged is what Tagged remembers: the orphans of the last dump.
type tagged[S desiredstate.Object] struct {
	Orphan[S]
	c     *Conn
	holds func(S) []desiredstate.Key
	fill  func(have, want S) S

	mu   sync.Mutex
	left []orphan[S]
}

type orphan[S desiredstate.Object] struct {
	desiredstate.Actual[S]
	seen Interface
}

// sift says whose each object is, and puts orphans aside.
func (t *tagged[S]) sift(v *desiredstate.View, found []desiredstate.Actual[S]) (out []desiredstate.Actual[S]) {
	var left []orphan[S]
	for _, a := range found {
		i, ok := desiredstate.At[Interface](v, a.ID)
		switch {
		case !ok: // gone since
		case i.Foreign && !a.Foreign && i.Spec.untouched(t.Up):
			left = append(left, orphan[S]{a, i.Spec})
		default:
			a.Foreign = i.Foreign
			out = append(out, a)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = left
	return out
}

// adopt makes an orphan ours that is like want, if there is one.
func (t *tagged[S]) adopt(ctx context.Context, want S) (id uint32, ok bool, err error) {
	for {
		o, ok := t.take(want)
		if !ok {
			break
		}
		same, err := t.c.unchanged(ctx, o.ID, o.seen)
		switch {
		case errors.Is(err, api.INVALID_SW_IF_INDEX): // gone
		case err != nil:
			return 0, false, err
		case same:
			return o.ID, true, t.c.tag(ctx, o.ID, want.Key().Name)
		case t.clash(o, want):
			return 0, false, o.inTheWay()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range t.left {
		if t.clash(o, want) {
			return 0, false, o.inTheWay()
		}
	}
	return 0, false, nil
}

// take returns an orphan that is like want, for nobody else to have.
func (t *tagged[S]) take(want S) (o orphan[S], ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := slices.IndexFunc(t.left, func(o orphan[S]) bool { return t.Like(o.Spec, t.fill(o.Spec, want)) })
	if n < 0 {
		return o, false
	}
	o = t.left[n]
	t.left = slices.Delete(t.left, n, n+1)
	return o, true
}

// clash says whether o has what want must have for itself.
func (t *tagged[S]) clash(o orphan[S], want S) bool {
	taken := t.holds(o.Spec)
	return slices.ContainsFunc(t.holds(want), func(k desiredstate.Key) bool { return slices.Contains(taken, k) })
}

func (o orphan[S]) inTheWay() error {
	return fmt.Errorf("%w: %s has no tag, and is in use or otherwise made", desiredstate.ErrForeign, o.seen.VPPName)
}

// tag marks an interface as ours, named so.
func (c *Conn) tag(ctx context.Context, id uint32, name string) error {
	tag, err := c.Tag(name)
	if err != nil {
		return err
	}
	_, err = interfaces.NewServiceClient(c).SwInterfaceTagAddDel(ctx, &interfaces.SwInterfaceTagAddDel{
		IsAdd: true, SwIfIndex: interface_types.InterfaceIndex(id), Tag: tag,
	})
	return err
}

// unchanged says whether an interface is as seen, and in no bridge domain.
func (c *Conn) unchanged(ctx context.Context, id uint32, seen Interface) (bool, error) {
	i, err := c.at(ctx, id)
	if err != nil {
		return false, err
	}
	i.Name, i.LinkUp, i.Parent = seen.Name, seen.LinkUp, seen.Parent // the world's, and by whatever name
	if i != seen {
		return false, nil
	}
	all, err := Collect(l2.NewServiceClient(c).BridgeDomainDump(ctx, &l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: allInterfaces}))
	return !slices.ContainsFunc(all, func(b *l2.BridgeDomainDetails) bool {
		return slices.ContainsFunc(b.SwIfDetails, func(p l2.BridgeDomainSwIf) bool { return uint32(p.SwIfIndex) == id })
	}), err
}

// at reads one interface, without its name; its parent has VPP's.
func (c *Conn) at(ctx context.Context, id uint32) (Interface, error) {
	all, err := Collect(interfaces.NewServiceClient(c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{
		SwIfIndex: interface_types.InterfaceIndex(id),
	}))
	if err != nil {
		return Interface{}, err
	}
	for _, d := range all { // asked for index 0, VPP shows all
		if uint32(d.SwIfIndex) == id {
			return describe(d), nil
		}
	}
	return Interface{}, fmt.Errorf("interface with index %d: %w", id, api.INVALID_SW_IF_INDEX)
}

// Gone returns err, or nil if it is one of these return values: VPP's ways of
// saying that what is to be deleted is not there.
func Gone(err error, retvals ...api.VPPApiError) error {
	for _, r := range retvals {
		if errors.Is(err, r) {
			return nil
		}
	}
	return err
}
