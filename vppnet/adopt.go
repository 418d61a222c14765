// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
)

// Most interfaces get their tag with a second message, and whoever dies between the two
// leaves one without. So that it is found again whatever is wanted by then, the create
// leaves a mark of its own where VPP has room for one: a MAC, a number. What has our mark
// and no tag, and is not in use, is a leftover: it goes when what is not wanted goes, and
// makes way for what is wanted. A kind that can leave no mark takes over what is just
// like a wanted object; what nobody wants any more then stays.

// Orphan says how a kind tells an interface that a Create of its own left.
type Orphan[S desiredstate.Object] struct {
	// Up: VPP makes such interfaces admin up. Tagged takes them down before they get their
	// tag: what is ours goes up by its LinkState alone. Who dies before that leaves either;
	// one that is otherwise than it was made has been touched, and is somebody's.
	Up bool

	// Mark is what Create leaves of want on the interface before it has its tag, which
	// nobody else does; Marked is what is on an interface that was found as such, if it
	// can be ours. Nil: there is no room for a mark.
	Mark   func(want S) string
	Marked func(found S, i Interface) (mark string, ours bool)

	// Like says whether a create of want makes what have is, for what has no mark. Have
	// was found, so its name is VPP's; what want leaves to VPP is filled in, see
	// Kind.Fill. If there are things that a create sets and have does not show, say no.
	// Nil: nothing without a mark is taken over.
	Like func(have, want S) bool

	// Anew has what is Like a wanted object removed and made anew, instead: there are
	// things that a create sets, and that VPP does not show.
	Anew bool

	// Options are kept in the tag, see Conn.Tag: what Create is told and no dump shows.
	// Nil: there are none.
	Options func(want S) []string
}

// Tagged completes a kind of interfaces that VPP makes without a tag, and returns
// it. The kind's Create makes the interface, and no more. Dump lists what there
// is by VPP's index, named as the Interface with that index is, and need not mind
// one that has gone since. Delete works with the index and what the object itself
// says. Tagged adds:
//
//   - Target, and to Requires, Interfaces;
//   - to Check, that the tag fits, see Labelled;
//   - to Create, the tag (sw_interface_tag_add_del), before which what VPP makes up is
//     taken down. If VPP refuses it, or ctx ends, Delete is called, and has five seconds;
//   - Adopt, the same tag on an interface that is not ours;
//   - to Dump, whose each object is. What has our mark is a leftover. What a Create may
//     take over is left out; an object that Dump itself calls Foreign is neither;
//   - that Create takes over what is Like the wanted object, if it is still as it was
//     found. If one that is otherwise made, or in use, Holds what the object wants to
//     hold, it is desiredstate.ErrForeign.
//
// In use is an interface that is up, has a tag, an address, a table, filters or another
// feature, is bridged, cross-connected or mirrored, or the parent of another.
//
// A kind whose create carries the tag does not need it.
func Tagged[S desiredstate.Object](c *Conn, k *desiredstate.Kind[S], o Orphan[S]) *desiredstate.Kind[S] {
	t := &tagged[S]{c: c, Orphan: o, holds: k.Holds, fill: k.Fill, making: map[string]int{}, cleared: map[uint32]bool{}}
	if t.holds == nil {
		t.holds = func(S) []desiredstate.Key { return nil }
	}
	if t.fill == nil {
		t.fill = func(_ desiredstate.Actual[S], want S) S { return want }
	}
	if t.Options == nil {
		t.Options = func(S) []string { return nil }
	}
	Labelled(c, k, t.Options)
	k.Target = c.Target()
	k.Requires = append([]desiredstate.AnyKind{Interfaces(c)}, k.Requires...)
	k.Messages = append(k.Messages, c.Uses(&interfaces.SwInterfaceTagAddDel{}, &interfaces.SwInterfaceDump{})...)
	if o.Up {
		k.Messages = append(k.Messages, c.Uses(&interfaces.SwInterfaceSetFlags{})...)
	}
	k.Messages = append(k.Messages, usage.messages(c)...)
	dump, create, remove := k.Dump, k.Create, k.Delete
	t.remove = remove
	k.Dump = Reread(c, func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[S], error) {
		found, err := dump(ctx, v)
		if err != nil {
			return nil, err
		}
		return t.sift(ctx, v, found)
	})
	k.Create = func(ctx context.Context, v *desiredstate.View, want S) (uint32, error) {
		if id, ok, err := t.adopt(ctx, v, want); ok || err != nil {
			return id, err
		}
		defer t.make(want)()
		if err := t.clear(ctx, v, want); err != nil {
			return 0, err
		}
		id, err := create(ctx, v, want)
		if err != nil {
			return 0, err
		}
		if err = t.name(ctx, id, want, t.Up); err != nil {
			ctx, cancel := shared.Outlive(ctx)
			defer cancel()
			return 0, errors.Join(err, remove(ctx, v, desiredstate.Actual[S]{Spec: want, ID: id}))
		}
		return id, nil
	}
	k.Adopt = func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[S], want S) error {
		return t.tag(ctx, have.ID, want)
	}
	k.Delete = func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[S]) error {
		untagged := strings.HasPrefix(have.Spec.Key().Name, ofVPP)
		if have.Leftover && untagged && t.busy(have.ID) { // who makes the object anew takes it away
			return nil
		}
		return remove(ctx, v, have)
	}
	return k
}

// tagged is what Tagged remembers: what is being made, and what the last dump found
// that can be taken over.
type tagged[S desiredstate.Object] struct {
	Orphan[S]
	c     *Conn
	holds func(S) []desiredstate.Key
	fill  func(have desiredstate.Actual[S], want S) S

	remove func(context.Context, *desiredstate.View, desiredstate.Actual[S]) error

	mu      sync.Mutex
	making  map[string]int       // by mark
	marks   map[string]orphan[S] // leftovers
	cleared map[uint32]bool      // those that a Create has taken away, or is about to
	left    []orphan[S]          // to be taken over
}

type orphan[S desiredstate.Object] struct {
	desiredstate.Actual[S]
	seen Interface
}

// make notes that want is being made, and has no tag yet, until done is called.
func (t *tagged[S]) make(want S) (done func()) {
	if t.Mark == nil {
		return func() {}
	}
	mark := t.Mark(want)
	count := func(n int) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.making[mark] += n; t.making[mark] == 0 {
			delete(t.making, mark)
		}
	}
	count(1)
	return func() { count(-1) }
}

// marked says whether what was found is what a Create of ours left, and none is at work on.
func (t *tagged[S]) marked(found S, i Interface) (ours, busy bool) {
	if t.Marked == nil {
		return false, false
	}
	mark, ours := t.Marked(found, i)
	t.mu.Lock()
	defer t.mu.Unlock()
	return ours, t.making[mark] > 0
}

// sift says whose each object is, and puts aside what can be taken over.
func (t *tagged[S]) sift(ctx context.Context, v *desiredstate.View, found []desiredstate.Actual[S]) (out []desiredstate.Actual[S], err error) {
	var left []orphan[S]
	var leftovers []int // in out
	busy := false       // there is one that is being made
	for _, a := range found {
		i, ok := desiredstate.At[Interface](v, a.ID)
		if !ok { // gone since
			continue
		}
		if i.Foreign && !a.Foreign && (i.Spec.untouched(false) || t.Up && i.Spec.untouched(true)) {
			ours, making := t.marked(a.Spec, i.Spec)
			switch busy = busy || making; {
			case ours && !making:
				leftovers = append(leftovers, len(out))
			case !ours && t.Like != nil:
				left = append(left, orphan[S]{a, i.Spec})
				continue
			}
		}
		a.Foreign, a.Leftover = i.Foreign, i.Leftover
		out = append(out, a)
	}
	if len(left)+len(leftovers) > 0 || busy {
		transcriptOf(ctx).spoil() // what becomes of it decides what the next reading shows
	}
	marks := map[string]orphan[S]{}
	var there []uint32
	if len(leftovers) > 0 {
		ids := make([]uint32, len(leftovers))
		for n, at := range leftovers {
			ids[n] = out[at].ID
		}
		used, err := usage.of(ctx, t.c, ids...)
		if err != nil {
			return nil, err
		}
		for _, at := range leftovers {
			if a := &out[at]; used[a.ID] == "" {
				a.Foreign, a.Leftover = false, true
				i, _ := desiredstate.At[Interface](v, a.ID)
				mark, _ := t.Marked(a.Spec, i.Spec)
				marks[mark] = orphan[S]{*a, i.Spec}
				there = append(there, a.ID)
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.marks = left, marks
	for _, id := range there {
		delete(t.cleared, id)
	}
	return out, nil
}

// clear removes what an earlier try to make want left.
func (t *tagged[S]) clear(ctx context.Context, v *desiredstate.View, want S) (err error) {
	if t.Mark == nil {
		return nil
	}
	mark := t.Mark(want)
	t.mu.Lock()
	o, ok := t.marks[mark]
	if delete(t.marks, mark); ok {
		t.cleared[o.ID] = true
	}
	t.mu.Unlock()
	if !ok {
		return nil
	}
	defer func() {
		if err != nil { // it may be there still
			t.mu.Lock()
			defer t.mu.Unlock()
			delete(t.cleared, o.ID)
		}
	}()
	same, err := t.c.unchanged(ctx, o.ID, o.seen)
	if err != nil || !same {
		return Gone(err, api.INVALID_SW_IF_INDEX)
	}
	return t.remove(ctx, v, o.Actual)
}

// busy says whether a leftover without a tag is of an object that is being made, or was.
func (t *tagged[S]) busy(id uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for mark, o := range t.marks {
		if o.ID == id {
			return t.making[mark] > 0
		}
	}
	return t.cleared[id]
}

// adopt makes an orphan ours that is like want, if there is one.
func (t *tagged[S]) adopt(ctx context.Context, v *desiredstate.View, want S) (id uint32, ok bool, err error) {
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
		case same && t.Anew:
			if err := t.remove(ctx, v, o.Actual); err != nil {
				return 0, false, err
			}
		case same:
			return o.ID, true, t.name(ctx, o.ID, want, o.seen.Up)
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
	n := slices.IndexFunc(t.left, func(o orphan[S]) bool { return t.Like(o.Spec, t.fill(o.Actual, want)) })
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
	return fmt.Errorf("%w: %s has no tag, and is in use or otherwise made: adopt it (Engine.Adopt), or have it removed", desiredstate.ErrForeign, o.seen.VPPName)
}

// name makes an interface ours that nobody has used, and takes it down if it is up.
func (t *tagged[S]) name(ctx context.Context, id uint32, want S, up bool) error {
	if up {
		_, err := interfaces.NewServiceClient(t.c).SwInterfaceSetFlags(ctx, &interfaces.SwInterfaceSetFlags{SwIfIndex: interface_types.InterfaceIndex(id)})
		if err != nil {
			return err
		}
	}
	return t.tag(ctx, id, want)
}

// tag marks an interface as ours, named as want is.
func (t *tagged[S]) tag(ctx context.Context, id uint32, want S) error {
	tag, err := t.c.Tag(want.Key().Name, t.Options(want)...)
	if err != nil {
		return err
	}
	_, err = interfaces.NewServiceClient(t.c).SwInterfaceTagAddDel(ctx, &interfaces.SwInterfaceTagAddDel{
		IsAdd: true, SwIfIndex: interface_types.InterfaceIndex(id), Tag: tag,
	})
	return err
}

// unchanged says whether an interface is as seen, and not in use.
func (c *Conn) unchanged(ctx context.Context, id uint32, seen Interface) (bool, error) {
	i, err := c.at(ctx, id)
	if err != nil {
		return false, err
	}
	i.Name, i.LinkUp, i.Parent = seen.Name, seen.LinkUp, seen.Parent // the world's, and by whatever name
	if i != seen {
		return false, nil
	}
	used, err := usage.of(ctx, c, id)
	return used[id] == "", err
}

// at reads one interface, without its name; its parent has VPP's.
func (c *Conn) at(ctx context.Context, id uint32) (Interface, error) {
	d, err := c.detailsAt(ctx, id)
	if err != nil {
		return Interface{}, err
	}
	return describe(d), nil
}

// detailsAt is what VPP says of one interface.
func (c *Conn) detailsAt(ctx context.Context, id uint32) (*interfaces.SwInterfaceDetails, error) {
	all, err := Collect(interfaces.NewServiceClient(c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{
		SwIfIndex: interface_types.InterfaceIndex(id),
	}))
	if err != nil {
		return nil, err
	}
	for _, d := range all { // asked for index 0, VPP shows all
		if uint32(d.SwIfIndex) == id {
			return d, nil
		}
	}
	return nil, fmt.Errorf("interface with index %d: %w", id, api.INVALID_SW_IF_INDEX)
}

// Gone returns err, or nil if it is one of these return values: VPP's ways of
// saying that what is to be deleted is not there.
func Gone(err error, retvals ...api.VPPApiError) error {
	if says(err, retvals) {
		return nil
	}
	return err
}

// Busy returns err as a desiredstate.ErrInUse if it is one of these return values: VPP's ways of saying that
// something is on what is to be deleted. It is somebody else's: what of ours is on it goes before.
func Busy(err error, retvals ...api.VPPApiError) error {
	if says(err, retvals) {
		return fmt.Errorf("%w by what somebody else has made: %w", desiredstate.ErrInUse, err)
	}
	return err
}

func says(err error, retvals []api.VPPApiError) bool {
	return slices.ContainsFunc(retvals, func(r api.VPPApiError) bool { return errors.Is(err, r) })
}
