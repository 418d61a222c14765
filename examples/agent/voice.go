// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/dirty"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// voice tells the Ethernet where a VM is, whenever its port and the VM's own driver have
// come up: by a live migration a VM comes silent, as QEMU cannot speak for it by
// VPP's vhost-user. Not before that, when the port is merely bound: until the switch, the
// VM runs on the host that it leaves. The networks of its subports hear it too, each when
// both the VM and the subport are up.
//
// VPP sends no frames from addresses that it does not have. So for a moment there is a
// loopback with the VM's MAC in the bridge domain, beside the port and its filters. What
// the bridge domain learned of that MAC goes with the loopback.
type voice struct {
	*agent
	c     *vppnet.Conn
	name  func(space string, id uint32) (string, bool)
	fresh *dirty.Set[uint32] // interfaces that came up

	mu   sync.Mutex
	mine map[uint32]bool // loopbacks; VPP gives their numbers to others later
}

func newVoice(a *agent, c *vppnet.Conn, e *desiredstate.Engine) *voice {
	return &voice{agent: a, c: c, name: e.Name, fresh: dirty.New[uint32](), mine: map[uint32]bool{}}
}

// hear takes what VPP tells of a link, and says whether it is of a loopback of its own.
func (v *voice) hear(l vppnet.LinkEvent) (own bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if l.Lost > 0 { // the end of one may be among them, and its number a VM's by now
		clear(v.mine)
	}
	if v.mine[l.Index] {
		if l.Deleted {
			delete(v.mine, l.Index)
		}
		return true
	}
	if l.LinkUp || l.AdminUp { // VPP joins events: of two that come together, it tells one
		v.fresh.Add(l.Index)
	}
	return false
}

// run speaks until ctx ends.
func (v *voice) run(ctx context.Context) {
	if err := v.sweep(ctx); err != nil && ctx.Err() == nil {
		v.log.Warn("cannot look for loopbacks that announced VMs", "err", err)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.fresh.Bell:
		}
		var guests []vhost.Guest
		for index := range v.fresh.Take() {
			if err := v.speak(ctx, index, &guests); err != nil && ctx.Err() == nil {
				v.log.Warn("cannot announce a VM", "index", index, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(together):
		}
	}
}

// speak announces the VM whose port has this interface, and those of its subports; or the one subport that has it.
func (v *voice) speak(ctx context.Context, index uint32, guests *[]vhost.Guest) error {
	name, _ := v.name(vppnet.InterfaceKey("").Space, index)
	var errs []error
	for _, p := range v.behind(name) {
		errs = append(errs, v.announce(ctx, p, guests))
	}
	return errors.Join(errs...)
}

// behind lists the port that has an interface, and its subports.
func (v *voice) behind(name string) (ports []translate.Port) {
	if id, sub := strings.CutPrefix(strings.TrimPrefix(name, "secured-"), "subport-"); sub {
		if p, known := v.inbox.PortOf(id); known && p.Interface() == name {
			ports = append(ports, p)
		}
		return ports
	}
	_, id, _ := strings.Cut(name, "-")
	p, known, _ := v.inbox.Look(id)
	if !known || p.Interface() != name || !p.HasVM() {
		return nil
	}
	ports = append(ports, p)
	for _, s := range v.inbox.SubportNames(id) {
		if p, known, _ := v.inbox.Look(s); known {
			ports = append(ports, p)
		}
	}
	return ports
}

// announce says where the VM is by a port, if it runs and the port is up.
func (v *voice) announce(ctx context.Context, p translate.Port, guests *[]vhost.Guest) (err error) {
	own, _ := v.store.Status(vppnet.InterfaceKey(p.Interface()))
	link, _ := v.store.Status(vppnet.LinkKey(p.Interface()))
	bridge, _ := v.store.Status(vppnet.BridgeKey(p.Network()))
	if link.State == desiredstate.Pending && own.State == desiredstate.Applied {
		v.fresh.Add(own.ID) // the engine is still at it
	}
	if link.State != desiredstate.Applied || bridge.State != desiredstate.Applied {
		return nil
	}
	mac, err := vppnet.ParseMAC(p.MAC)
	if err != nil {
		return err
	}
	if *guests == nil { // asked once for all that came together
		if *guests, err = vhost.Guests(ctx, v.c); err != nil {
			return err
		}
	}
	vm, _ := v.store.Status(vppnet.InterfaceKey(p.Guest()))
	if !slices.ContainsFunc(*guests, func(g vhost.Guest) bool { return g.Index == vm.ID && g.Running }) {
		return nil
	}
	addrs := p.Addrs
	if len(addrs) == 0 { // the MAC is what matters
		addrs = []netip.Addr{linkLocal(mac)}
	}
	v.log.Debug("announcing", "port", p.UUID, "mac", mac, "addresses", addrs)
	return v.say(ctx, mac, bridge.ID, addrs)
}

// linkLocal is the IPv6 address that a MAC has by itself.
func linkLocal(m vppnet.MAC) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
}

// voiceTag marks loopbacks that announce, whoever is left of them. It is no tag of the
// agent's objects, so the engine leaves them alone.
const voiceTag = "vppkit-voice/announces"

// voiceMAC marks them before they have the tag: of one that was made with a VM's MAC, nobody could tell whose it is.
var voiceMAC = vppnet.MAC{2, 'v', 'o', 'i', 'c', 'e'}

// say has VPP send a frame for each address from a MAC into a bridge domain.
func (v *voice) say(ctx context.Context, mac vppnet.MAC, bridge uint32, addrs []netip.Addr) (err error) {
	v.c.Uses(&interfaces.CreateLoopback{}, &interfaces.SwInterfaceTagAddDel{}, &interfaces.SwInterfaceSetMacAddress{},
		&interfaces.SwInterfaceSetFlags{}, &l2.SwInterfaceSetL2Bridge{})
	vpp := interfaces.NewServiceClient(v.c)
	v.mu.Lock() // its events come before its number is known
	loop, err := vpp.CreateLoopback(ctx, &interfaces.CreateLoopback{MacAddress: [6]byte(voiceMAC)})
	if err == nil {
		v.mine[uint32(loop.SwIfIndex)] = true
	}
	v.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.remove(context.WithoutCancel(ctx), loop.SwIfIndex)) }()
	if _, err := vpp.SwInterfaceTagAddDel(ctx, &interfaces.SwInterfaceTagAddDel{IsAdd: true, SwIfIndex: loop.SwIfIndex, Tag: voiceTag}); err != nil {
		return err
	}
	if _, err := vpp.SwInterfaceSetMacAddress(ctx, &interfaces.SwInterfaceSetMacAddress{SwIfIndex: loop.SwIfIndex, MacAddress: [6]byte(mac)}); err != nil {
		return err
	}
	join := l2.SwInterfaceSetL2Bridge{RxSwIfIndex: loop.SwIfIndex, BdID: bridge, Enable: true}
	if _, err := l2.NewServiceClient(v.c).SwInterfaceSetL2Bridge(ctx, &join); err != nil {
		return err
	}
	if _, err := vpp.SwInterfaceSetFlags(ctx, &interfaces.SwInterfaceSetFlags{SwIfIndex: loop.SwIfIndex, Flags: interface_types.IF_STATUS_API_FLAG_ADMIN_UP}); err != nil {
		return err
	}
	return l3.Announce(ctx, v.c, uint32(loop.SwIfIndex), addrs...)
}

func (v *voice) remove(ctx context.Context, index interface_types.InterfaceIndex) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v.c.Uses(&interfaces.DeleteLoopback{})
	_, err := interfaces.NewServiceClient(v.c).DeleteLoopback(ctx, &interfaces.DeleteLoopback{SwIfIndex: index})
	return err
}

// sweep removes what an agent that died left.
func (v *voice) sweep(ctx context.Context) error {
	v.c.Uses(&interfaces.SwInterfaceDump{})
	all, err := vppnet.Collect(interfaces.NewServiceClient(v.c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range all {
		if tag := strings.TrimRight(d.Tag, "\x00"); tag == voiceTag || tag == "" && vppnet.MAC(d.L2Address) == voiceMAC {
			errs = append(errs, v.remove(ctx, d.SwIfIndex))
		}
	}
	return errors.Join(errs...)
}
