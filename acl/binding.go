// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Binding puts sets on an interface: on what comes in from it, and on what goes
// out to it. A direction without sets is not looked at.
//
// VPP asks the sets in their order. Sets that are not ours and were on the
// interface before are asked after ours; those that somebody put before ours
// stay there.
type Binding struct {
	Interface     string
	Input, Output []string // names of our sets; together at most 255 with others'

	// After lists what has to be there before, and goes only after, the binding.
	// VPP takes the sets off the datapath, and says nothing, when an interface
	// leaves a bridge domain for L3; one that comes to be bridged again has no
	// filter until the next reading finds that. So a binding of a bridged interface
	// is After vppnet.BridgePortKey(Interface), and the LinkState after both. VPP
	// does not know of it, so it is no difference by itself.
	After []desiredstate.Key
}

// Equal says whether two are the same.
func (b Binding) Equal(o Binding) bool {
	return b.Interface == o.Interface && slices.Equal(b.Input, o.Input) && slices.Equal(b.Output, o.Output) &&
		slices.Equal(b.After, o.After)
}

// BindingKey is the key of the Binding of an interface.
func BindingKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "acl-binding", Name: iface}
}

// Key is BindingKey(b.Interface).
func (b Binding) Key() desiredstate.Key { return BindingKey(b.Interface) }

// Deps lists the interface, the sets and After.
func (b Binding) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{vppnet.InterfaceKey(b.Interface)}
	for _, s := range slices.Concat(b.Input, b.Output) {
		if k := SetKey(s); !slices.Contains(deps, k) {
			deps = append(deps, k)
		}
	}
	return append(deps, b.After...)
}

// maxBound is how many sets VPP's messages can list for an interface.
const maxBound = 255

// Validate wants at least one set, and none twice in a direction: VPP would refuse
// that when it has changed one direction already.
func (b Binding) Validate() error {
	if err := cmp.Or(vppnet.CheckRef("interface", b.Interface), vppnet.CheckAfter(b.Key(), b.After)); err != nil {
		return err
	}
	if n := len(b.Input) + len(b.Output); n == 0 || n > maxBound {
		return fmt.Errorf("%d sets, want 1 to %d", n, maxBound)
	}
	for _, direction := range [][]string{b.Input, b.Output} {
		seen := map[string]bool{}
		for _, s := range direction {
			if err := vppnet.CheckName(s); err != nil {
				return fmt.Errorf("set: %w", err)
			}
			if seen[s] {
				return fmt.Errorf("set %q twice in one direction", s)
			}
			seen[s] = true
		}
	}
	return nil
}

// same says whether two bindings list the same, without what VPP does not show.
func (b Binding) same(o Binding) bool {
	return b.Interface == o.Interface && slices.Equal(b.Input, o.Input) && slices.Equal(b.Output, o.Output)
}
