// SPDX-License-Identifier: Apache-2.0

package translate

import "encoding/json"

// Handles are VPP's numbers of a port's objects.
type Handles struct{ Interface, Bridge, Uplink uint32 }

// network is how networking-vpp describes one.
type network struct {
	Physnet   string  `json:"physnet"`
	Interface string  `json:"if_physnet"`
	Bridge    uint32  `json:"bridge_domain_id"`
	Type      string  `json:"network_type"`
	Segment   uint32  `json:"segmentation_id"`
	Uplink    *uint32 `json:"if_uplink_idx"`
}

// State is the value of the key that tells the driver that the port is bound.
// The driver waits for the key; its tap-as-a-service extension reads the value. The revision is
// that of the port's key that it answers; 0: unknown.
func (p Port) State(h Handles, revision int64) string {
	path, bind := p.Socket(), "vhostuser"
	w, tap := p.Wire()
	if tap {
		path, bind = "", "tap"
	}
	up := &h.Uplink
	if p.member() == "" { // it leaves by an overlay
		up = nil
	}
	out, err := json.Marshal(struct {
		Path      string  `json:"path,omitempty"`
		Bridge    string  `json:"bridge_name,omitempty"`
		Theirs    string  `json:"ext_tap_name,omitempty"`
		Ours      string  `json:"int_tap_name,omitempty"`
		Bind      string  `json:"bind_type"`
		MAC       string  `json:"mac"`
		Interface uint32  `json:"iface_idx"`
		Revision  int64   `json:"revision,omitempty"`
		Network   network `json:"net_data"`
	}{
		path, w.Bridge, w.Theirs, w.Ours, bind, p.MAC, h.Interface, revision,
		network{p.Physnet, p.site.Physnets[p.Physnet], h.Bridge, p.Type, p.Segment, up},
	})
	if err != nil {
		return "" // strings and numbers always marshal
	}
	return string(out)
}
