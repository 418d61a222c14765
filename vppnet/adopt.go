// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"crypto/sha256"
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

// Some interfaces get their tag with a second message. Whoever dies between the
// two leaves one without a tag. So that it is neither leaked nor in the way for
// ever, such an interface can be told by what it was made with (an address, a
// Linux device, a VLAN), and the next create of the same name takes it over, if
// it is untouched since. That costs an ordinary create nothing.

// MAC is the address that an interface of ours has if its spec leaves it open:
// a locally administered one, made of owner and name. It is the same after VPP
// restarts, so what neighbours have learnt stays true, and it tells an interface
// that lost its maker before it got its tag. Hosts that share a network need
// owners, or names, that differ.
func (c *Conn) MAC(name string) MAC {
	sum := sha256.Sum256([]byte(c.Tag(name)))
	m := MAC(sum[:6])
	m[0] = m[0]&^1 | 2
	return m
}

// fillMAC leaves an address that want does not set to what have shows, if that
// is the one that it would get.
func (c *Conn) fillMAC(have, want MAC, name string) MAC {
	if want.IsZero() && have == c.MAC(name) {
		return have
	}
	return want
}

// pick is the address that an interface is made with.
func (c *Conn) pick(want MAC, name string) MAC {
	if want.IsZero() {
		return c.MAC(name)
	}
	return want
}

// Own marks a new interface as ours, named so. If that fails, undo is to unmake
// the interface; it has five seconds, even if ctx has ended.
func (c *Conn) Own(ctx context.Context, id uint32, name string, undo func(context.Context) error) error {
	_, err := interfaces.NewServiceClient(c).SwInterfaceTagAddDel(ctx, &interfaces.SwInterfaceTagAddDel{
		IsAdd: true, SwIfIndex: interface_types.InterfaceIndex(id), Tag: c.Tag(name),
	})
	if err == nil || undo == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, undo(ctx))
}

// adopts returns msgs and what Own and adopt send.
func adopts(msgs ...api.Message) []api.Message {
	return append(msgs, &interfaces.SwInterfaceTagAddDel{}, &interfaces.SwInterfaceDump{}, &l2.BridgeDomainDump{})
}

// errInUse says that an interface without tag is not one that we left.
var errInUse = fmt.Errorf("%w: an interface that has no tag, or is in use, is there already", desiredstate.ErrForeign)

// adopt makes an interface ours that a create of ours left, named so, if it is
// untouched and what mine says of it is true; else it fails with errInUse.
func (c *Conn) adopt(ctx context.Context, id uint32, name string, mine func(Interface) bool) error {
	i, err := c.at(ctx, id)
	if err != nil {
		return err
	}
	if !i.pristine() || !mine(i) {
		return errInUse
	}
	all, err := Collect(l2.NewServiceClient(c).BridgeDomainDump(ctx, &l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: allInterfaces}))
	if err != nil {
		return err
	}
	for _, b := range all {
		if slices.ContainsFunc(b.SwIfDetails, func(p l2.BridgeDomainSwIf) bool { return uint32(p.SwIfIndex) == id }) {
			return errInUse
		}
	}
	return c.Own(ctx, id, name, nil)
}

// at reads one interface, whose parent has VPP's name.
func (c *Conn) at(ctx context.Context, id uint32) (Interface, error) {
	all, err := Collect(interfaces.NewServiceClient(c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{
		SwIfIndex: interface_types.InterfaceIndex(id),
	}))
	if err != nil {
		return Interface{}, err
	}
	for _, d := range all { // asked for index 0, VPP shows all
		if uint32(d.SwIfIndex) == id {
			i, _ := c.describe(d)
			return i, nil
		}
	}
	return Interface{}, fmt.Errorf("interface with index %d: %w", id, api.INVALID_SW_IF_INDEX)
}

// strays are the untouched interfaces without a tag, by address, as a kind last
// saw them when it dumped. That is after each failed create, too: the engine
// reads what is in doubt before it tries again.
type strays struct {
	mu sync.Mutex
	at map[MAC]uint32
}

func (s *strays) note(v *desiredstate.View) {
	at := map[MAC]uint32{}
	for a := range desiredstate.All[Interface](v) {
		if !a.Spec.MAC.IsZero() && a.Spec.pristine() {
			at[a.Spec.MAC] = a.ID
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = at
}

func (s *strays) find(m MAC) (id uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok = s.at[m]
	return id, ok
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
