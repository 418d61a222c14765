// SPDX-License-Identifier: Apache-2.0

// Agent makes one VPP serve the ports that OpenStack's networking-vpp driver
// binds to a host, and the routers and floating IPs that its L3 plugin puts there: it
// follows the keys of the host in etcd, and writes back what VPP confirmed. It takes
// the place of networking-vpp's own agent, on etcd v3. The driver speaks etcd v2: mirror
// stands between them, see SCHEMA.md.
//
//	agent demo       shows all of it, and needs nothing
//	agent run        serves a host
//	agent mirror     keeps an etcd v2, which is what the driver speaks, and the etcd v3 equal
//	agent plan       says what run would change, and changes nothing
//	agent status     asks a running agent how everything stands
//	agent trace      says what becomes of the packets that a port sends, node by node
//	agent snoop      shows the packets that pass a port, or writes them to a file
//	agent explain    says of an object, a port or a number of VPP's what it is and waits for
//	agent drift      asks a running agent to look what is otherwise in VPP than it left it
//	agent history    lists what a running agent did and found
//	agent report     writes a bundle for whoever shall help
//	agent confirm    lets a running agent remove what it held back, by the token of status
//	agent level      says or sets how much a running agent logs
//	agent put, get, delete, wait  write and read what hosts shall be, by a journal
//	agent roles      says or applies what an agent may do in etcd
//	agent version    says which agent this is
//
// Each exits with 0 if all is well, 1 if it failed, 2 if it was used wrongly, and 3 if it did what it
// should and found that something is wrong. OPERATIONS.md is how to run it. Each flag can also be set by the environment
// (--vhost-user-dir is AGENT_VHOST_USER_DIR) and, for commands that have --config, by a file.
//
// It serves VLAN, flat and GPE networks, and vhost-user ports with or without port
// security, their trunks, the TAP ports of DHCP agents and the like, and copies of what
// passes ports (tap-as-a-service). Below /networking-vpp it reads
//
//	nodes/HOST/ports/UUID             a port of its host, as the driver writes it
//	nodes/HOST/trunks/UUID            the subports of a port
//	nodes/HOST/taas_service/UUID      a port that gets copies of what passes others
//	nodes/HOST/taas_flow/UUID         a port of which there are copies
//	nodes/HOST/routers/ROUTER/PORT    a router's interface in a network, or its gateway
//	nodes/HOST/routers/floatingip/ID  a floating IP
//	nodes/HOST/routers/ha             "1": serve the routers; with --ha key only
//	global/secgroups/UUID             a group that one of these is in
//	global/remote_group/UUID/PORT     the addresses in a group that rules of such a one name
//	global/taas_service/UUID          where copies that leave the cloud go to
//	state_taas/OTHER/…                what other hosts say of services and flows that are here, too
//	global/networks/gpe/VNI/HOST/IP   who is behind other hosts, in networks that are here
//
// and it writes what VPP confirmed, and withdraws it when it is no longer so:
//
//	state/HOST/alive           "1", as long as the agent runs, and 3 minutes longer: a restart is none
//	state/HOST/physnets/NAME   "1", as long as the network's interface is there
//	state/HOST/ports/UUID      the port is bound, and its VM there: its socket, and VPP's numbers
//	state/HOST/routers/…       the key of a router, or a floating IP, is served
//	state/HOST/errors/UUID     {"error": …}: why a port is not, or what of it is left out
//	state/HOST/errors/trunks/UUID  what of a trunk is not served
//	state/HOST/errors/routers/…  the same for the keys of routers, by their names
//	state/HOST/errors/taas_…     what of services and flows is not served
//	state/HOST/errors/FAMILY/…   keys of families that nobody knows
//	state_taas/HOST/taas_…/UUID  a service, or a flow, is active
//	state/HOST/conditions/…    what is amiss with the host as a whole
//	state/HOST/converged       up to which revision of etcd all is in VPP, or has an error
//	state/HOST/agent, vpp      who says all of this, of which VPP
//
//	global/networks/gpe/VNI/HOST/IP  who is behind this host
//
// Each put of a port's key is answered by a write of its state, though it be the same.
// Values that are signed are verified: see --jwt-ca.
//
// A port with port security comes up when its filters are bound, and goes down
// before they go; until all its groups are there it is down. What cannot be expressed
// permits nothing, part by part, and is said; the rest is in force: see SCHEMA.md. A
// group whose key is gone stands as it was, as long as a port is in it; an agent that
// starts takes that from VPP.
// To turn port security on or off makes the port's interface anew.
//
// A network of type gpe (or vxlan) is an overlay: hosts find each other by addresses on
// one physical network (--gpe-locator, --gpe-address), and tell each other who is behind
// them. As in networking-vpp, nothing is flooded; --overlay vxlan floods, and needs no
// lisp plugin, but all hosts must have it.
//
// Copies of what passes a port go to another one by a mirror, between hosts by the VLAN of the
// service, or by VXLAN if its port is in an overlay, and by ERSPAN out of the cloud, or to a VM that decodes it.
//
// An uplink can be a bond that the agent makes (--bond), named as a physical network's
// interface; its members are the agent's, too.
//
// A TAP port is on a Linux bridge of its own, in the agent's network namespace, which must
// be VPP's, too; the agent makes it with iproute2, and puts into it who comes. VPP makes
// TAPs by the kernel's vhost-net; where there is none, --tap host-interface has a veth
// pair instead. What the agent makes in Linux has the alias net-vpp/wire.
//
// A router is a table, with a BVI in each of its networks. Each external network has
// one BVI and a table of its own, with the addresses of all routers on it; so routers
// may have the same addresses inside, and external networks the same outside. Between
// them is NAT44, endpoint-dependent: a router's hosts share its first IPv4 address
// (enable_snat), unless they have a floating IP. What goes from one network of a router
// to another is not translated; hosts reach each other's floating IPs within their
// router, but not those of another router on the same host. IPv6 is routed, and
// advertised inside. Extra routes may have several next hops. The driver names one
// external_gateway_ip; external_gateway_ips names others, for the other family. A
// router without enable_snat cannot share an external network with NAT: VPP drops there
// what it does not translate. Addresses are announced (gratuitous ARP) when they come up.
//
// A network has one router on a host, and an address one meaning: of keys that do not
// go together, the first by name is served, and the others say why they are not. A
// floating IP waits for its router. NAT44 is the agent's: it is off where no router needs
// it. With --no-routers the agent leaves all of L3 to others; such keys have an error then.
//
// Several hosts can have the same routers. With --ha key, all of it is there with its
// links down until routers/ha is "1". With --ha vrrp, VPPs agree by VRRP on a VLAN of
// their own which of them is master, and its agent has the links up: when a VPP dies
// another takes over after three adverts and the skew of its priority, without etcd,
// but its agent has to be there. Who comes back leaves the other alone. TCP that went
// through NAT has to begin anew, that of floating IPs too.
//
// Kinds that the connected VPP cannot be used for, for want of a plugin perhaps,
// are named with messages and plugin in the log, by status and plan, and under
// the keys of the ports that need them; all else is served.
//
// A key that cannot be read wants nothing: what its last value had brought up
// goes. Keys that an etcd has lost, rather than told to be deleted, cost nothing if
// they are more than half of all, or the only one, until somebody says "agent
// confirm" with the token that "agent status" shows. Those that were deleted while no agent
// was there are told from lost ones by their states, which an etcd would have lost too.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
