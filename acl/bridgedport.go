// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// BridgedPort is an interface in a bridge domain, behind the filters of its
// PortSecurity, up. What is made of it is in the order in which nothing ever passes
// unfiltered: bridged while it is down, then filtered, then up; and the other way round
// when it goes, or when the interface or the bridge domain is replaced.
type BridgedPort struct {
	Security PortSecurity // of the interface that it names; its After is set here

	Bridge            string // the bridge domain, ours or not
	SplitHorizonGroup uint8  // see vppnet.BridgePort
	MTU               uint32 // of the interface, see vppnet.LinkState; 0: as VPP has it
	Parent            string // of a sub-interface: see vppnet.LinkState
}

// Objects returns what makes the port, all but the interface, the bridge domain and the
// sets of its groups. See [PortSecurity.Objects] for what those are, and for errors: where
// there are objects beside one, it names what of the filters is left out.
func (p BridgedPort) Objects() ([]desiredstate.Object, error) {
	name := p.Security.Interface
	port := vppnet.BridgePort{Bridge: p.Bridge, Interface: name, SplitHorizonGroup: p.SplitHorizonGroup}
	link := vppnet.LinkState{Interface: name, Parent: p.Parent, Up: true, MTU: p.MTU, After: []desiredstate.Key{port.Key()}}
	security := p.Security
	security.After = []desiredstate.Key{port.Key()}
	objects, out := security.Objects()
	if out != nil && objects == nil {
		return nil, out
	}
	if !security.Off {
		link.After = append(link.After, EtherTypesKey(name), BindingKey(name), MACIPBindingKey(name))
	}
	for _, o := range []desiredstate.Object{port, link} {
		if err := o.Validate(); err != nil {
			return nil, fmt.Errorf("port %s: %s: %w", name, o.Key(), err)
		}
	}
	return append(append([]desiredstate.Object{port}, objects...), link), out
}
