// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	flag "github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/signed"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/internal/socketpath"
	"github.com/vppkit/vppkit/vpptest"
)

// options are the flags that run and plan share.
type options struct {
	site   translate.Site
	etcd   string
	access etcd.Access
	vpp    string
	mode   string
	tap    string
	qemu   sockets // of --vhost-user-mode server
	resync time.Duration
	audit  time.Duration
	bound  string

	jwt struct{ file, controllers string }
	ca  *signed.CA // nil: nothing is signed

	overlay struct{ sort, locator, address string }

	election struct {
		translate.Election
		on               bool
		network, address string
		id, priority     uint
	}
}

func (o *options) register(f *flag.FlagSet) {
	host, _ := os.Hostname()
	o.site.Physnets = map[string]string{}
	f.StringVar(&o.etcd, "etcd", "", "`URL[,URL]` of etcd v3, or \"embedded\": one in this process, empty at its start")
	accessFlags(f, "etcd", &o.access)
	f.StringVar(&o.vpp, "vpp", "/run/vpp/api.sock", "`socket` of VPP's API, or \"sim\": an in-memory VPP in this process")
	f.StringVar(&o.site.Host, "host", host, "`name` of this host, as Neutron binds ports to it")
	f.Func("physnet", "`NAME=VPP-INTERFACE` of a physical network; once for each. tag:OWNER/NAME is an interface that another owner made", func(v string) error {
		name, uplink, ok := strings.Cut(v, "=")
		if _, dup := o.site.Physnets[name]; !ok || dup {
			return errors.New("want NAME=VPP-INTERFACE, each NAME once")
		}
		o.site.Physnets[name] = uplink
		return nil
	})
	o.site.Bonds, o.site.MTU = map[string]translate.Bond{}, map[string]uint32{}
	f.Func("bond", "`NAME=VPP-INTERFACE,VPP-INTERFACE,mode=lacp` is made of these, to be a physical network's interface; once for each. mode: round-robin, active-backup, xor, broadcast or lacp", func(v string) error {
		name, b, err := translate.ParseBond(v)
		if _, dup := o.site.Bonds[name]; dup {
			err = errors.Join(err, errors.New("want each NAME once"))
		}
		o.site.Bonds[name] = b
		return err
	})
	f.Func("mtu", "`PHYSNET=BYTES` of the IP packets that VPP sends there itself, for an underlay; once for each. That of a router's legs comes with them", func(v string) error {
		physnet, bytes, _ := strings.Cut(v, "=")
		n, err := strconv.ParseUint(bytes, 10, 32)
		o.site.MTU[physnet] = uint32(n)
		return err
	})
	f.StringVar(&o.overlay.locator, "gpe-locator", "", "`PHYSNET` by whose interface other hosts reach this one, for networks of type gpe; all addresses there are the agent's. Without it there are none")
	f.StringVar(&o.overlay.address, "gpe-address", "", "`ADDRESS/LENGTH` of this host there")
	f.TextVar(&o.site.ERSPAN, "erspan-address", netip.Addr{}, "`ADDRESS` from which this host sends copies by ERSPAN (TaaS); otherwise it is --gpe-address's")
	f.StringVar(&o.overlay.sort, "overlay", "gpe", "`SORT` of overlay for these, the same on all hosts: gpe, as networking-vpp has it (needs VPP's lisp plugin), or vxlan, which floods into a tunnel to each other host")
	f.BoolVar(&o.site.NoRouters, "no-routers", false, "leave routers, and all of L3 in VPP, to others; NAT44 is the agent's otherwise")
	f.Func("ha", "`MODE`: others have the same routers, and this host serves them only while the key routers/ha says so (key), or while its VPP is master (vrrp, needs --ha-network and --ha-address)", func(v string) error {
		o.site.HA, o.election.on = true, v == "vrrp"
		if v != "key" && v != "vrrp" {
			return errors.New("want key or vrrp")
		}
		return nil
	})
	f.StringVar(&o.election.network, "ha-network", "", "`PHYSNET:VLAN` by which hosts agree who serves, for nothing else")
	f.StringVar(&o.election.address, "ha-address", "", "`ADDRESS/LENGTH` of this host there; the first one of the subnet is nobody's own")
	f.UintVar(&o.election.id, "ha-id", 1, "`number` of the virtual router there, 1 to 255, the same on all hosts")
	f.UintVar(&o.election.priority, "ha-priority", 100, "`priority` of this host when several begin together, 1 to 254")
	f.DurationVar(&o.election.Interval, "ha-interval", time.Second, "between adverts; who hears none for three of them takes over")
	f.StringVar(&o.site.Dir, "vhost-user-dir", "", "`directory` of the VMs' vhost-user sockets, the driver's vhost_user_dir")
	f.StringVar(&o.mode, "vhost-user-mode", "client", "client: VPP connects to the VM's socket; server: the VM to VPP's")
	o.qemu.register(f, "vhost-user-socket", "the sockets that VPP makes (--vhost-user-mode server), for a QEMU of another user; \"\": as VPP makes them")
	f.StringVar(&o.bound, "bound", "", "when a vhost-user port is said to be bound. attached: VPP has all of it, and its VM has attached to the socket. vpp: VPP has all of it. Attached is the default, but with --vhost-user-mode server, where VPP shows no VM before it runs, and one that waits paused for the port to be bound, as Nova has it, never would")
	f.StringVar(&o.tap, "tap", "tap", "`SORT` of VPP's interface for ports of DHCP agents and the like: tap (needs a kernel with vhost-net), or host-interface, of a veth pair in the agent's network namespace")
	f.StringVar(&o.jwt.file, "jwt-ca", "", "PEM `file` of the driver's jwt_ca_cert: what is not signed for by it is not believed. Without it nothing may be signed. It is read anew when it has changed, and counts for values that come, or are listed, then")
	f.StringVar(&o.jwt.controllers, "jwt-controllers", signed.Controllers, "`pattern` of the common names that may sign, the driver's jwt_controller_name_pattern")
	f.DurationVar(&o.resync, "resync", 5*time.Minute, "how often to list etcd though nothing asked for it")
	f.DurationVar(&o.audit, "audit", 30*time.Second, "how often to read VPP though it told of no change: so long at most stays unseen what it tells nobody of, such as another filter or bridge domain")
}

func (o *options) check() error {
	switch o.mode {
	case "client", "server":
		o.site.Server = o.mode == "server"
	default:
		return fmt.Errorf("--vhost-user-mode %q: want client or server", o.mode)
	}
	if o.site.Veth = o.tap == "host-interface"; !o.site.Veth && o.tap != "tap" {
		return fmt.Errorf("--tap %q: want tap or host-interface", o.tap)
	}
	if o.etcd == "" {
		return errors.New("--etcd is missing")
	}
	if o.qemu.given() && !o.site.Server {
		return errors.New("--vhost-user-socket-mode, --vhost-user-socket-group: want --vhost-user-mode server: else VMs make the sockets")
	}
	if _, err := groupID(o.qemu.group); err != nil {
		return fmt.Errorf("--vhost-user-socket-group: %w", err)
	}
	o.site.SocketMode, o.site.SocketGroup = o.qemu.mode, o.qemu.group
	if err := socketpath.Guarded(o.site.Dir); o.site.Dir != "" && err != nil {
		return fmt.Errorf("--vhost-user-dir: %w", err)
	}
	if o.resync <= 0 || o.audit <= 0 {
		return errors.New("--resync, --audit: want more than nothing")
	}
	switch o.bound {
	case "":
		if o.bound = "attached"; o.site.Server {
			o.bound = "vpp"
		}
	case "attached", "vpp":
	default:
		return fmt.Errorf("--bound %q: want attached or vpp", o.bound)
	}
	if err := o.span(); err != nil {
		return err
	}
	if err := o.elect(); err != nil {
		return err
	}
	if err := o.trust(); err != nil {
		return err
	}
	return o.site.Validate()
}

// overlays are the sorts that --overlay chooses from.
var overlays = map[string]func(translate.Underlay) translate.Overlay{
	"gpe":   func(u translate.Underlay) translate.Overlay { return translate.GPE{Underlay: u} },
	"vxlan": func(u translate.Underlay) translate.Overlay { return translate.VXLAN{Underlay: u} },
}

// span reads how other hosts reach this one, if they do.
func (o *options) span() error {
	sort := overlays[o.overlay.sort]
	switch {
	case sort == nil:
		return fmt.Errorf("--overlay %q: want %s", o.overlay.sort, strings.Join(slices.Sorted(maps.Keys(overlays)), " or "))
	case o.overlay.locator == "" && o.overlay.address == "":
		return nil
	}
	address, err := netip.ParsePrefix(o.overlay.address)
	if err != nil || o.overlay.locator == "" {
		return fmt.Errorf("--gpe-locator %q, --gpe-address %q: want PHYSNET and ADDRESS/LENGTH", o.overlay.locator, o.overlay.address)
	}
	o.site.Overlay = sort(o.site.Underlay(o.overlay.locator, address))
	return nil
}

// trust reads who may sign.
func (o *options) trust() error {
	if o.jwt.file == "" {
		return nil
	}
	var err error
	if o.ca, err = signed.OpenCA(o.jwt.file, o.jwt.controllers); err != nil {
		return fmt.Errorf("--jwt-ca %s: %w", o.jwt.file, err)
	}
	return nil
}

// elect reads how this host takes part in the election, if it does.
func (o *options) elect() error {
	e := &o.election
	if !e.on {
		return nil
	}
	physnet, vlan, _ := strings.Cut(e.network, ":")
	n, err := strconv.ParseUint(vlan, 10, 16)
	if err != nil {
		return fmt.Errorf("--ha-network %q: want PHYSNET:VLAN", e.network)
	}
	if e.Address, err = netip.ParsePrefix(e.address); err != nil {
		return fmt.Errorf("--ha-address %q: want ADDRESS/LENGTH", e.address)
	}
	if e.id < 1 || e.id > 255 || e.priority < 1 || e.priority > 254 {
		return errors.New("--ha-id: want 1 to 255; --ha-priority: 1 to 254")
	}
	e.Physnet, e.VLAN, e.ID, e.Priority = physnet, uint16(n), uint8(e.id), uint8(e.priority)
	o.site.Election = &e.Election
	return nil
}

// openEtcd returns a client of the etcd meant, and what ends both.
func (o *options) openEtcd() (*clientv3.Client, func(), error) {
	url, stop := o.etcd, func() {}
	if o.etcd == "embedded" {
		dir, err := os.MkdirTemp("", "agent-etcd")
		if err != nil {
			return nil, nil, err
		}
		e, err := etcd.Embed(dir)
		if err != nil {
			_ = os.RemoveAll(dir)
			return nil, nil, err
		}
		url, stop = e.URL(), func() { e.Stop(); _ = os.RemoveAll(dir) }
	}
	c, err := etcd.Dial(url, o.access)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return c, func() { _ = c.Close(); stop() }, nil
}

// openVPP returns the socket of the VPP meant, and what ends it.
func (o *options) openVPP() (string, func(), error) {
	if o.vpp != "sim" {
		return o.vpp, func() {}, nil
	}
	v, err := sim(o.site)
	if err != nil {
		return "", nil, err
	}
	return v.Socket(), func() { _ = v.Close() }, nil
}

// sim starts an in-memory VPP that has the site's uplinks.
func sim(site translate.Site) (*vpptest.VPP, error) {
	var opts []vpptest.Option
	for _, physnet := range site.PhysnetNames() {
		uplink := site.Physnets[physnet]
		if _, ours := site.Bonds[uplink]; !ours {
			opts = append(opts, vpptest.WithInterface(uplink))
		}
		for _, member := range site.Bonds[uplink].Members {
			opts = append(opts, vpptest.WithInterface(member))
		}
	}
	return vpptest.Start(opts...)
}
