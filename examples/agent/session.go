// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"syscall"
	"time"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// engine builds the kinds of one VPP's connection. Kinds that this VPP cannot be
// used for are reported, and refuse their objects; the others work.
func engine(c *vppnet.Conn, site translate.Site) (*desiredstate.Engine, binapi.Report) {
	kinds := []desiredstate.AnyKind{
		vppnet.Interfaces(c),
		vppnet.LinkStates(c, vppnet.ClaimInterfaces(site.IsUplink)),
		vppnet.SubInterfaces(c),
		vppnet.BridgeDomains(c),
		vppnet.BridgePorts(c),
		sockets{site.SocketMode, site.SocketGroup}.guard(vhost.Ports(c, site.Dir)),
		acl.Sets(c),
		acl.MACIPSets(c),
		acl.Bindings(c),
		acl.MACIPBindings(c),
		vppnet.Mirrors(c),
		vppnet.CrossConnects(c),
		acl.EtherTypeLists(c), // none is wanted: VPP gives a port what one before it with its index had
	}
	if snooped := []desiredstate.AnyKind{vppnet.MemifSockets(c, site.Dir), vppnet.Memifs(c)}; len(binapi.Check(c, snooped...).Unavailable()) == 0 {
		kinds = append(kinds, snooped...) // or nobody can snoop, which is no harm
	}
	if len(site.Bonds) > 0 {
		kinds = append(kinds, bond.Bonds(c), bond.Members(c))
	}
	if site.Veth {
		kinds = append(kinds, vppnet.HostInterfaces(c))
	} else {
		kinds = append(kinds, vppnet.TAPs(c))
	}
	// Or VPP would be asked thrice about each port.
	layer2 := vppnet.DisclaimInterfaces(func(name string) bool { return site.NoRouters || !translate.IsRouted(name) })
	claims := []vppnet.Claim{layer2}
	if site.Overlay != nil {
		under := site.Overlay.Under().Uplink
		claims = append([]vppnet.Claim{vppnet.ClaimInterfaces(func(name string) bool { return name == under })}, layer2)
		kinds = append(kinds, site.Overlay.Kinds(c)...)
		if !slices.ContainsFunc(kinds, func(k desiredstate.AnyKind) bool { return k.KindName() == "vxlan-tunnel" }) {
			kinds = append(kinds, vppnet.VXLANTunnels(c))
		}
	}
	if site.Overlay != nil || site.ERSPAN.IsValid() {
		var tables []desiredstate.AnyKind
		if !site.NoRouters {
			tables = append(tables, l3.Tables(c))
			kinds = append(kinds, l3.Neighbours(c, vppnet.DisclaimInterfaces(func(name string) bool { return !translate.IsTapWay(name) })))
		}
		kinds = append(kinds, vppnet.GRETunnels(c, tables...))
	}
	if site.Overlay != nil || !site.NoRouters {
		kinds = append(kinds, l3.Addresses(c, claims...))
	}
	if !site.NoRouters {
		kinds = append(kinds, routing(c, layer2)...)
	}
	r := binapi.Check(c, kinds...)
	return desiredstate.New(r.Kinds(kinds...)...), r
}

// routing builds the kinds of routers, but for addresses.
func routing(c *vppnet.Conn, layer2 vppnet.Claim) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		vppnet.Loopbacks(c),
		vppnet.Pipes(c),
		vppnet.PipeEnds(c),
		l3.Tables(c),
		l3.Memberships(c, layer2),
		l3.Routes(c),
		l3.NeighbourCaches(c),
		l3.MSSClamps(c, layer2),
		l3.RouterAdvertisements(c, layer2),
		l3.ProxyARPs(c),
		l3.ProxyARPRanges(c),
		nat.Plugins(c, nat.EndpointDependent),
		nat.Interfaces(c, nat.EndpointDependent),
		nat.Addresses(c, nat.EndpointDependent),
		nat.Mappings(c, nat.EndpointDependent),
		nat.Identities(c, nat.EndpointDependent),
		nat.Exits(c),
		vrrp.Routers(c),
	}
}

// lacks says in a sentence for each kind why this VPP cannot be used for it.
func lacks(r binapi.Report) []string {
	var out []string
	for _, kind := range r.Unavailable() {
		out = append(out, r.Why(kind).Error())
	}
	return out
}

// connection is what is known of the VPP of the moment.
type connection struct {
	vppnet.Identity
	lacks []string // why which kinds are unavailable
}

// sessions keeps one VPP after the other as the store wants it.
func (a *agent) sessions(ctx context.Context) error {
	news := newsOf(5 * time.Second)
	report := vppnet.WithReport(func(err error, _ time.Duration) {
		a.health.note(func(h *health) { h.away = err.Error() })
		if !a.met && gone(err) { // whatever an earlier agent said of it
			a.met = true
			a.announcer.withdraw(ctx, 0)
		}
		if news(err) { // not at each try
			a.log.Error("no VPP", "err", err)
		}
	})
	err := vppnet.Follow(ctx, a.vpp, translate.Owner, a.session, append([]vppnet.Option{report, vppnet.WithTrace(a.insight.message)}, a.dial...)...)
	return barred(err, a.vpp)
}

// barred adds to an error of a socket that lets this user not in what to do.
func barred(err error, socket string) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	whose := "its group"
	if info, ok := stat(socket); ok {
		whose = fmt.Sprintf("group %d", info.Gid)
		if g, err := user.LookupGroupId(fmt.Sprint(info.Gid)); err == nil {
			whose = "group " + g.Name
		}
	}
	return fmt.Errorf("%w: user %d has to be in %s", err, os.Geteuid(), whose)
}

func stat(path string) (*syscall.Stat_t, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return st, ok
}

// session lasts as long as one VPP, and so does ctx.
func (a *agent) session(ctx context.Context, c *vppnet.Conn) error {
	if err := a.lockVPP(); err != nil { // which it had not if there was no VPP
		return err
	}
	defer a.insight.metrics.Connection(c)()
	e, report := engine(c, a.site)
	if a.insight.spans != nil {
		e.Trace = a.insight.spans.Object
	}
	herald := newHerald(a.inbox, a.store, a.log, c)
	go herald.run(ctx)
	a.deadly.begin(e)
	guests := newAttachments(a, c, e)
	e.Observe = func(e desiredstate.Event) {
		a.observe(e)
		herald.hear(e)
		guests.hear(e)
		a.deadly.hear(e, a.store.Want)
	}
	links, err := c.Watch(ctx)
	if err != nil {
		return err
	}
	voice := newVoice(a, c, e)
	go voice.run(ctx)
	go a.attend(e, links, voice, guests)
	vpp := connection{c.VPP(), lacks(report)}
	a.log.Info("connected to VPP", "vpp", vpp.Identity)
	for _, why := range vpp.lacks {
		a.log.Error("this VPP cannot do all", "err", why)
	}
	if err := a.elect(ctx, c); err != nil {
		return err
	}
	if !a.recalled {
		e.Begun = func(found []desiredstate.Found) {
			a.recalled = true
			a.inbox.Recall(found)
			a.store.Delete(a.site.OfSnoops(found)...) // of an agent that was killed
		}
	}
	a.meet(ctx, vpp.Identity)
	a.connected.Store(&vpp)
	a.guests.Store(guests)
	if !a.alone || a.site.Overlay != nil {
		go guests.run(ctx)
	}
	defer func() {
		a.guests.Store(nil)
		a.connected.Store(nil)
		if why := c.Err(); why != nil {
			a.health.note(func(h *health) { h.away, h.ends = why.Error(), append(h.ends, time.Now()) })
			for _, k := range a.deadly.died(a.store.Want) {
				a.log.Error("VPP dies of an object; it is left out until it is changed, or for some minutes", "object", k)
			}
		}
	}()
	return e.Run(ctx, a.store, a.audit)
}

// gone says whether there is no VPP for certain.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// meet takes note of which VPP is there. What an earlier agent said of another one is
// withdrawn before anything is made anew: its ports are gone.
func (a *agent) meet(ctx context.Context, vpp vppnet.Identity) {
	now := fmt.Sprintf("%s, pid %d, since %s", vpp.Version, vpp.PID, vpp.Started.UTC().Format(time.RFC3339Nano))
	if !a.met {
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		before, err := a.etcd.Get(short, a.site.State()+"vpp")
		if err == nil && len(before.Kvs) > 0 && string(before.Kvs[0].Value) != now {
			a.log.Info("VPP is another one than before", "before", string(before.Kvs[0].Value), "now", now)
			a.announcer.withdraw(ctx, 5*time.Second)
		}
	}
	a.met = true
	a.board.Set("vpp", now)
}

// attached says whether the VM of a port is there, as far as that matters, and whether that is
// known.
func (a *agent) attached(p translate.Port) (there, known bool) {
	if a.alone || !p.HasVM() {
		return true, true
	}
	return a.guests.Load().has(p.Handles(a.store).Interface)
}

// runs says whether the VM of a port runs here, and whether that is known. What has no VM does.
func (a *agent) runs(p translate.Port) (yes, known bool) {
	if p.Guest() == "" {
		return true, true
	}
	status, _ := a.store.Status(vppnet.InterfaceKey(p.Guest()))
	return a.guests.Load().running(status.ID)
}

// attend makes the engine look again when VPP tells of its links what nobody
// here had wanted. A burst of events costs one look, and what the engine itself
// does none: it has half a second to know of it too.
func (a *agent) attend(e *desiredstate.Engine, links <-chan vppnet.LinkEvent, voice *voice, guests *attachments) {
	const patience = 500 * time.Millisecond
	type event struct {
		vppnet.LinkEvent
		at time.Time
	}
	news := map[uint32]event{}
	var later <-chan time.Time
	for {
		select {
		case l, ok := <-links:
			if !ok {
				return
			}
			if voice.hear(l) && l.Lost == 0 {
				continue
			}
			guests.stir()
			if news[l.Index] = (event{l, time.Now()}); later == nil {
				later = time.After(patience)
			}
		case now := <-later:
			surprise := false
			for index, l := range news {
				if now.Sub(l.at) >= patience {
					surprise = surprise || a.surprising(e, l.LinkEvent)
					delete(news, index)
				}
			}
			if surprise {
				e.Forget()
			}
			if later = nil; len(news) > 0 {
				later = time.After(patience)
			}
		}
	}
}

// surprising says whether an event cannot come from what the engine does or is about
// to do.
func (a *agent) surprising(e *desiredstate.Engine, l vppnet.LinkEvent) bool {
	name, known := e.Name(vppnet.InterfaceKey("").Space, l.Index)
	switch {
	case l.Lost > 0:
		return true
	case !known:
		return !l.Deleted
	case l.Deleted:
		st, ok := a.store.Status(vppnet.InterfaceKey(name))
		return !ok || st.State == desiredstate.Applied && !st.Leaving
	}
	k := vppnet.LinkKey(name)
	o, _ := a.store.Want(k)
	want, ok := o.(vppnet.LinkState)
	st, _ := a.store.Status(k)
	return ok && want.Up != l.AdminUp && st.State == desiredstate.Applied
}

func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
