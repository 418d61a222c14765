// SPDX-License-Identifier: Apache-2.0

package vpptest

import "go.fd.io/govpp/binapi/interface_types"

// NewInterface says what a plugin's interface is like. The zero value of a field is
// what a fresh Ethernet interface of VPP has.
type NewInterface struct {
	Name    string
	DevType string  // as sw_interface_details shows it
	MAC     [6]byte // zero: made up
	Tag     string
	Down    bool // without link, until LinkUp
	Up      bool // admin up at once, as VPP makes tunnels

	NotEthernet bool // it has no MAC, and no MTU of its own
}

// An Interface is what a handler learns of an interface.
type Interface struct {
	Index   uint32
	Name    string
	DevType string
	Tag     string
	MAC     [6]byte // of the device, also for a sub-interface; zero: it is not Ethernet
	Up      bool    // admin
	Link    bool
	Parent  uint32 // its own index; of a sub-interface, that of the interface that it was made of
}

// Interface returns the interface that has this index; false: none has, and VPP answers
// -2. Index ~0 is none.
func (c *Call) Interface(index uint32) (Interface, bool) {
	i := c.VPP.life.interfaces.at(interface_types.InterfaceIndex(index))
	if i == nil {
		return Interface{}, false
	}
	return Interface{
		Index: i.index, Name: i.title(), DevType: i.hw.class.devType, Tag: i.tag, MAC: i.hw.mac,
		Up: i.admin, Link: i.hw.link, Parent: i.sup.index,
	}, true
}

// AddInterface makes an interface and returns its index.
func (c *Call) AddInterface(n NewInterface) uint32 {
	address := mac(n.MAC)
	if address == (mac{}) {
		address = randomMAC()
	}
	driver := &class{devType: n.DevType, mtu: unsupported, setMAC: true}
	if n.NotEthernet {
		driver = &class{devType: n.DevType, mtu: featureDisabled, l3: true}
	}
	i := c.VPP.life.interfaces.add(&iface{
		name: n.Name, mac: address, tag: n.Tag, ready: !n.Down, link: !n.Down, class: driver,
	})
	c.VPP.life.interfaces.setAdmin(i, n.Up)
	return i.index
}

// DeleteInterface removes an interface with its sub-interfaces, and leaves behind what
// VPP leaves behind. OnDelete functions are called. An unknown index does nothing.
func (c *Call) DeleteInterface(index uint32) {
	if i := c.VPP.life.interfaces.at(interface_types.InterfaceIndex(index)); i != nil {
		c.VPP.life.interfaces.delete(i.hw)
	}
}

// OnDelete has f called when an interface goes, whoever deletes it, until v restarts.
// It is for the load function of WithPlugin.
func (v *VPP) OnDelete(f func(index uint32)) {
	s := v.life.interfaces
	s.deleting = append(s.deleting, func(i *iface) { f(i.index) })
}

// Dump adds lines to what String returns, until v restarts. It is for the load
// function of WithPlugin; f is called like a handler.
func (v *VPP) Dump(f func() []string) {
	v.life.states = append(v.life.states, func(d *dump) {
		for _, line := range f() {
			d.line(line)
		}
	})
}
