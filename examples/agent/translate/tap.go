// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Wire is how a TAP port reaches who is on it, in Linux: by a bridge, in which VPP has a
// device, and into which the device of who is there is put when that appears. The names are
// networking-vpp's.
type Wire struct {
	Bridge string
	Ours   string // in the bridge: VPP's TAP or, of a veth pair, the end that is not VPP's
	Theirs string // in the bridge: a DHCP agent's, or a VM's
	Peer   string // VPP's end of a veth pair; "": Ours is a TAP, which VPP makes
}

// Wire is the port's; false: it is no TAP port.
func (p Port) Wire() (Wire, bool) {
	if !p.TAP {
		return Wire{}, false
	}
	id := p.UUID[:11] // Linux's names are short
	w := Wire{Bridge: "br-" + id, Ours: "vpp" + id, Theirs: "tap" + id}
	if p.site.Veth {
		w.Peer = "vhi" + id
	}
	return w, true
}

// end is VPP's interface on the wire.
func (w Wire) end(name string) desiredstate.Object {
	if w.Peer != "" {
		return vppnet.HostInterface{Name: name, Device: w.Peer}
	}
	return vppnet.TAP{Name: name, Host: vppnet.TAPHost{Device: w.Ours, Bridge: w.Bridge}}
}
