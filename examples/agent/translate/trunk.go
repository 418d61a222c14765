// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// Trunks is the prefix of the keys of the host's trunks, each by the name of its parent port.
func (s Site) Trunks() string { return Root + "nodes/" + s.Host + "/trunks/" }

// isTrunk says whether a key is that of a trunk, of any host.
func isTrunk(key string) bool {
	name, of := strings.CutPrefix(key, Root+"nodes/")
	_, name, _ = strings.Cut(name, "/")
	return of && strings.HasPrefix(name, "trunks/")
}

// maxSubports is how many VLANs there are for subports.
const maxSubports = 4094

// Trunk is a port by which a VM is in several networks: untagged in the parent's, and with a
// VLAN in that of each subport.
type Trunk struct {
	Parent   string // UUID
	Subports []Port // each still to be put On the parent

	// Lacks names the subports, and their parts, that are left out; all else is served.
	Lacks error
}

// Trunk reads the key of a trunk: its name below Site.Trunks, and its value. A subport that is
// wrong is left out, of two with one VLAN, or of one name, the second. The error is final
// until the value changes.
func (s Site) Trunk(name string, value []byte) (t Trunk, err error) {
	if t.Parent = name; !uuid.MatchString(name) {
		return t, errors.New("the key's name is not a UUID")
	}
	f, err := parse(value, maxGroup)
	if err != nil {
		return t, err
	}
	var out lacks
	subs, more, err := elements(f, "sub_ports", maxSubports)
	if err != nil {
		return t, err
	}
	if more > 0 {
		out.add(fmt.Errorf("sub_ports: %d beyond the first %d, more than there are VLANs", more, maxSubports))
	}
	vlans, names := map[uint16]string{}, map[string]bool{t.Parent: true}
	for i, raw := range subs {
		p, err := s.subport(raw)
		switch {
		case err != nil && p.UUID != "":
			err = fmt.Errorf("subport %s: %w", p.UUID, err)
		case err != nil:
			err = fmt.Errorf("sub_ports %d: %w", i, err)
		case p.UUID == t.Parent:
			err = fmt.Errorf("subport %s is the trunk's parent", p.UUID)
		case names[p.UUID]:
			err = fmt.Errorf("subport %s is there twice", p.UUID)
		case vlans[p.VLAN] != "":
			err = fmt.Errorf("subport %s: VLAN %d is that of subport %s", p.UUID, p.VLAN, vlans[p.VLAN])
		}
		if out.add(err); err == nil {
			vlans[p.VLAN], names[p.UUID] = p.UUID, true
			t.Subports = append(t.Subports, p)
		}
	}
	t.Lacks = out.join()
	return t, nil
}

func (s Site) subport(raw []byte) (p Port, err error) {
	f, err := parse(raw, maxPort)
	if err != nil {
		return p, err
	}
	var id, mac string
	sort := "vlan"
	var vlan int64
	if err := need(f, "port_id", &id); err != nil {
		return p, err
	}
	if !uuid.MatchString(id) {
		return p, fmt.Errorf("port_id: %.40q is not a UUID", id)
	}
	p = Port{UUID: id, site: s}
	if err := errors.Join(need(f, "segmentation_id", &vlan), read(f, "segmentation_type", &sort), read(f, "mac_address", &mac)); err != nil {
		return p, err
	}
	switch {
	case sort != "vlan":
		return p, fmt.Errorf("segmentation_type: %.40q is unknown", sort)
	case vlan < 1 || vlan > 4094:
		return p, fmt.Errorf("segmentation_id: %d is no VLAN", vlan)
	}
	p.VLAN = uint16(vlan)
	if err := p.address(mac); err != nil {
		return p, err
	}
	if p.Net, err = s.net(f, "physnet", "uplink_seg_type", "uplink_seg_id"); err != nil {
		return p, err
	}
	return p, p.filters(f)
}

// On is the subport on its parent, in whichever order the two came.
func (p Port) On(parent Port) (Port, error) {
	switch {
	case parent.TAP:
		return p, fmt.Errorf("its parent %s is no VM's", parent.UUID)
	case parent.VLAN != 0:
		return p, fmt.Errorf("its parent %s is a subport", parent.UUID)
	case p.Network() == parent.Network():
		return p, fmt.Errorf("%s is its parent's network too: the VM would be in it twice", p.Network())
	}
	p.parent = parent.Interface()
	return p, nil
}

// In says whether the port is in what VPP holds, a subport on its parent.
func (p Port) In(found map[desiredstate.Key]desiredstate.Object) bool {
	is, there := found[vppnet.InterfaceKey(p.Interface())]
	sub, _ := is.(vppnet.SubInterface)
	return there && sub.Parent == p.parent
}

// end is what the port is to VPP, but for its network and filters: a vhost-user interface, a TAP,
// or a VLAN of its parent's, whose tag is taken off what comes in.
func (p Port) end() desiredstate.Object {
	if w, ok := p.Wire(); ok {
		return w.end(p.Interface())
	}
	if p.VLAN == 0 {
		return vhost.Port{Name: p.Interface(), Socket: p.Socket(), Server: p.site.Server}
	}
	return vppnet.SubInterface{Name: p.Interface(), Parent: p.parent, Outer: p.VLAN, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}}
}
