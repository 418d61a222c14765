// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/pipe"

	"github.com/vppkit/vppkit/desiredstate"
)

// Pipe is a wire within VPP: what goes in at one end comes out at the other. Two bridge
// domains that it joins are one segment, with a BVI in each. VPP has its ends go up and down
// with it; want a LinkState of each, too, or they are taken down as what nobody wants up.
// They have no MAC, so they are for L2; they have no sub-interfaces either, as VPP dies of a
// list of pipes then. See [PipeEnd].
type Pipe struct{ Name string }

// Key is InterfaceKey(p.Name).
func (p Pipe) Key() desiredstate.Key { return InterfaceKey(p.Name) }

// Deps is empty.
func (p Pipe) Deps() []desiredstate.Key { return nil }

// Validate checks the name.
func (p Pipe) Validate() error { return CheckName(p.Name) }

// PipeEnd gives one of a pipe's ends a name, by which it can be a BridgePort.
type PipeEnd struct {
	Name   string
	Pipe   string // one of ours
	Second bool   // which end
}

// Key is InterfaceKey(p.Name).
func (p PipeEnd) Key() desiredstate.Key { return InterfaceKey(p.Name) }

// Deps lists the pipe.
func (p PipeEnd) Deps() []desiredstate.Key { return []desiredstate.Key{InterfaceKey(p.Pipe)} }

// Validate checks the names.
func (p PipeEnd) Validate() error {
	if p.Name == p.Pipe {
		return errors.New("a pipe is not its own end")
	}
	return errors.Join(CheckName(p.Name), CheckName(p.Pipe))
}

func (p PipeEnd) number() int {
	if p.Second {
		return 1
	}
	return 0
}

// Device is VPP's class of pipes, which have no sub-interfaces.
func (p Pipe) Device() string { return devicePipe }

// Device is as Pipe's.
func (p PipeEnd) Device() string { return devicePipe }

// devicePipe is VPP's class of pipes and their ends.
const devicePipe = "Pipe"

// Pipes manages pipes (pipe_create). There can be 1024 of one owner: that is how many
// numbers VPP has room for that tell whose a pipe is which has no tag yet. Of fifteen owners two
// may have the same ones; give them no pipes in one VPP, or one may take what the other is making
// for what it left itself.
func Pipes(c *Conn) *desiredstate.Kind[Pipe] {
	vpp := pipe.NewServiceClient(c)
	return Tagged(c, &desiredstate.Kind[Pipe]{
		Name:     "pipe",
		Messages: c.Uses(&pipe.PipeCreate{}, &pipe.PipeDelete{}),
		Dump: func(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[Pipe], err error) {
			for a := range desiredstate.All[Interface](v) {
				if a.Spec.Device == devicePipe && a.Spec.Parent == "" {
					out = append(out, desiredstate.Actual[Pipe]{ID: a.ID, Spec: Pipe{a.Spec.Name}})
				}
			}
			return out, nil
		},
		Create: func(ctx context.Context, _ *desiredstate.View, p Pipe) (uint32, error) {
			var last error
			for n := range c.pipeNumbers(p.Name) {
				r, err := vpp.PipeCreate(ctx, &pipe.PipeCreate{IsSpecified: true, UserInstance: n})
				if err == nil {
					return uint32(r.SwIfIndex), nil
				}
				if last = err; !errors.Is(err, api.INVALID_REGISTRATION) {
					break
				}
			}
			return 0, Full(last, api.INVALID_REGISTRATION, ownPipes, "pipes of one owner")
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Pipe]) error {
			_, err := vpp.PipeDelete(ctx, &pipe.PipeDelete{SwIfIndex: interface_types.InterfaceIndex(have.ID)})
			return Gone(err, api.INVALID_SW_IF_INDEX)
		},
	}, Orphan[Pipe]{
		Mark: func(Pipe) string { return devicePipe },
		Marked: func(_ Pipe, i Interface) (string, bool) {
			return devicePipe, numberIn(i.VPPName, "pipe")-c.firstPipe() < ownPipes
		},
	})
}

// ownPipes is how many pipes of one owner there can be: a fifteenth of VPP's 16384 without the
// lowest, which VPP itself picks.
const ownPipes = 1 << 10

// firstPipe is the lowest number that pipes of ours can have.
func (c *Conn) firstPipe() uint32 {
	sum := sha256.Sum256([]byte(c.Owner() + ofOwner + "pipe"))
	return ownPipes * (1 + binary.BigEndian.Uint32(sum[:])%15)
}

// pipeNumbers are those that pipes of ours can have. They begin with one that depends on the name.
func (c *Conn) pipeNumbers(name string) iter.Seq[uint32] {
	sum := sha256.Sum256([]byte(name))
	first := binary.BigEndian.Uint32(sum[:])
	return func(yield func(uint32) bool) {
		for i := range uint32(ownPipes) {
			if !yield(c.firstPipe() + (first+i)%ownPipes) {
				return
			}
		}
	}
}

// PipeEnds names the ends of our pipes (sw_interface_tag_add_del). Which ones these are it
// reads in sw_interface_dump: VPP dies of pipe_dump when anybody's pipe has a third
// sub-interface.
func PipeEnds(c *Conn) *desiredstate.Kind[PipeEnd] {
	vpp := interfaces.NewServiceClient(c)
	find := func(ctx context.Context, v *desiredstate.View, p PipeEnd) (interface_types.InterfaceIndex, error) {
		parent, err := v.ID(InterfaceKey(p.Pipe))
		if err != nil {
			return 0, err
		}
		all, err := Collect(vpp.SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{
			SwIfIndex: allInterfaces, NameFilterValid: true, NameFilter: "pipe",
		}))
		if err != nil {
			return 0, err
		}
		for _, d := range all {
			if i := describe(d); i.pipeEnd && d.SupSwIfIndex == parent && i.SubID == uint32(p.number()) {
				return d.SwIfIndex, nil
			}
		}
		return 0, fmt.Errorf("%w: %s is no pipe: name one that Pipes makes", desiredstate.ErrInvalid, p.Pipe)
	}
	return Labelled(c, &desiredstate.Kind[PipeEnd]{
		Target:   c.Target(),
		Name:     "pipe-end",
		Requires: []desiredstate.AnyKind{Interfaces(c)},
		Messages: c.Uses(&interfaces.SwInterfaceDump{}, &interfaces.SwInterfaceTagAddDel{}),
		Dump: func(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[PipeEnd], err error) {
			for a := range desiredstate.All[Interface](v) {
				if i := a.Spec; i.pipeEnd && i.Tag != "" { // without, it has no name yet
					out = append(out, desiredstate.Actual[PipeEnd]{
						ID: a.ID, Foreign: a.Foreign, Leftover: a.Leftover, Spec: PipeEnd{Name: i.Name, Pipe: i.Parent, Second: i.SubID == 1},
					})
				}
			}
			return out, nil
		},
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, p PipeEnd) error {
			_, err := find(ctx, v, p)
			return err
		},
		Create: func(ctx context.Context, v *desiredstate.View, p PipeEnd) (uint32, error) {
			tag, err := c.Tag(p.Name)
			if err != nil {
				return 0, err
			}
			id, err := find(ctx, v, p)
			if err != nil {
				return 0, err
			}
			_, err = vpp.SwInterfaceTagAddDel(ctx, &interfaces.SwInterfaceTagAddDel{IsAdd: true, SwIfIndex: id, Tag: tag})
			return uint32(id), err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[PipeEnd]) error {
			_, err := vpp.SwInterfaceTagAddDel(ctx, &interfaces.SwInterfaceTagAddDel{SwIfIndex: interface_types.InterfaceIndex(have.ID)})
			return Gone(err, api.INVALID_SW_IF_INDEX)
		},
		Holds: func(p PipeEnd) []desiredstate.Key {
			return []desiredstate.Key{{Space: "pipe-end", Name: fmt.Sprintf("%s.%d", p.Pipe, p.number())}}
		},
	}, nil)
}
