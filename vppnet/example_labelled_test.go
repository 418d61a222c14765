// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
)

// Note is something whose tag says, beside its name, what VPP does not show of it.
type Note struct {
	Name   string
	Urgent bool
}

func (n Note) Key() desiredstate.Key    { return desiredstate.Key{Space: "note", Name: n.Name} }
func (n Note) Deps() []desiredstate.Key { return nil }
func (n Note) Validate() error          { return vppnet.CheckName(n.Name) }

func (n Note) options() []string {
	if n.Urgent {
		return []string{"u"}
	}
	return nil
}

// A name that does not fit VPP's tag with this owner and these options is refused by the plan.
func ExampleLabelled() {
	notes := func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Labelled(c, &desiredstate.Kind[Note]{
			Name:   "note",
			Dump:   func(context.Context, *desiredstate.View) ([]desiredstate.Actual[Note], error) { return nil, nil },
			Create: func(context.Context, *desiredstate.View, Note) (uint32, error) { return 7, nil },
			Delete: func(context.Context, *desiredstate.View, desiredstate.Actual[Note]) error { return nil },
		}, Note.options)}
	}
	kindrig.DryRun(notes, Note{Name: strings.Repeat("n", 57)})
	kindrig.DryRun(notes, Note{Name: strings.Repeat("n", 57), Urgent: true})

	// Output:
	// + note/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn
	// 1 to create
	// error: <nil>
	// ? note/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn: invalid: name "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" has 57 bytes, at most 55 fit VPP's tag
	// 1 blocked
	// error: blocked note/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn: invalid: name "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" has 57 bytes, at most 55 fit VPP's tag
}
