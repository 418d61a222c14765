// SPDX-License-Identifier: Apache-2.0

package vpptest

// NewInterface says what a plugin's interface is like. The zero value of a field is
// what a fresh Ethernet interface of VPP has.
type NewInterface struct {
	Name    string
	DevType string  // as sw_interface_details shows it
	MAC     [6]byte // zero: made up
	Tag     string
	Down    bool // without link, until LinkUp
	Up      bool // admin up at once, as VPP makes tunnels
}

// HasInterface tells whether a software interface has this index: VPP answers -2 where
// it has not.
func (c *Call) HasInterface(index uint32) bool {
	return int64(index) < int64(len(c.VPP.life.interfaces.all)) && c.VPP.life.interfaces.all[index] != nil
}

// AddInterface makes an interface and returns its index.
func (c *Call) AddInterface(n NewInterface) uint32 {
	address := mac(n.MAC)
	if address == (mac{}) {
		address = randomMAC()
	}
	i := c.VPP.life.interfaces.add(&iface{
		name: n.Name, mac: address, tag: n.Tag, ready: !n.Down, link: !n.Down,
		class: &class{devType: n.DevType, mtu: unsupported, setMAC: true},
	})
	c.VPP.life.interfaces.setAdmin(i, n.Up)
	return i.index
}

// DeleteInterface removes an interface with its sub-interfaces, and leaves behind what
// VPP leaves behind. OnDelete functions are called. An unknown index does nothing.
func (c *Call) DeleteInterface(index uint32) {
	if c.HasInterface(index) {
		c.VPP.life.interfaces.delete(c.VPP.life.interfaces.all[index].hw)
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
