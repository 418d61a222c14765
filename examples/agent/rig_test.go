// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// agentArgs makes this test binary an agent: a process that can be killed.
const agentArgs = "AGENT_TEST_ARGS"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(agentArgs); ok {
		os.Exit(command(context.Background(), strings.Split(args, "\n"), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// target is a VPP, in memory or real.
type target interface {
	Socket() string
	Kill()
	Restart() error
}

// rig is an etcd, and VPPs to serve from it.
type rig struct {
	*testing.T
	url    string
	access etcd.Access // of agents
	client *clientv3.Client
	etcd   *etcd.Embedded // nil: in a process of its own
}

func newRig(t *testing.T) *rig {
	t.Helper()
	e, err := etcd.Embed(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(e.Stop)
	r := rigOn(t, e.URL())
	r.etcd = e
	return r
}

func rigOn(t *testing.T, url string) *rig {
	t.Helper()
	c, err := etcd.Dial(url, etcd.Access{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &rig{T: t, url: url, client: c}
}

const nic = "GigabitEthernet0/8/0"

// siteOf is a host whose physnet1 is on uplink.
func (r *rig) siteOf(host, uplink string) translate.Site {
	return translate.Site{Host: host, Physnets: map[string]string{"physnet1": uplink}, Dir: r.TempDir()}
}

// running is an agent in this process.
type running struct {
	*agent
	stop   func()
	writes atomic.Int64 // requests that could change VPP
	log    *lockedBuffer
	ended  chan error // of its run, if nobody stopped it
}

// agent runs an agent until stop or the end of the test.
func (r *rig) agent(site translate.Site, vpp string, with ...func(*agent)) *running {
	r.Helper()
	require.NoError(r, site.Validate())
	x := &running{log: new(lockedBuffer), ended: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(x.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client, err := etcd.Dial(r.url, r.access)
	require.NoError(r, err)
	x.agent = newAgent(site, vpp, client, time.Minute, log)
	x.inbox.routers.linger = 0        // but where that is what is tested
	x.deadly.again = time.Millisecond // and so is this
	x.dial = []vppnet.Option{vppnet.WithTrace(func(t vppnet.Trace) { x.writes.Add(mutates(t.Message)) })}
	x.alone = true // no test has VMs but those that are about them
	for _, f := range with {
		f(x.agent)
	}
	if x.wires.ns == "" {
		x.wires = nil // or the machine's own Linux would be changed
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := x.run(ctx)
		if ctx.Err() == nil {
			x.ended <- err
			err = context.Canceled
		}
		done <- err
	}()
	x.stop = func() {
		if cancel == nil {
			return
		}
		cancel()
		cancel = nil
		require.ErrorIs(r, <-done, context.Canceled)
		require.NoError(r, client.Close())
	}
	r.Cleanup(func() {
		x.stop()
		if r.Failed() {
			r.Logf("log of %s:\n%s", site.Host, tail(x.log.String()))
		}
	})
	return x
}

func tail(s string) string { return s[max(0, len(s)-6000):] }

func mutates(message string) int64 {
	for _, reads := range []string{"_dump", "_get", "show_", "want_", "control_ping", "memclnt_", "api_versions", "l2_flags", "arping", "_is_enabled"} {
		if strings.Contains(message, reads) {
			return 0
		}
	}
	return 1
}

func names(ports map[string]int) []string { return slices.Sorted(maps.Keys(ports)) }

// uuid numbers ports.
func uuid(n int) string { return fmt.Sprintf("%08x-38b1-4ac2-a1a1-3b6a6d0c0001", n) }

// port is a port's value, as the driver writes it.
func port(vlan int) string {
	return fmt.Sprintf(`{"mac_address":"fa:16:3e:00:10:01","mtu":1500,"physnet":"physnet1","network_type":"vlan",`+
		`"segmentation_id":%d,"binding_type":"vhostuser","security_groups":[],"allowed_address_pairs":[],`+
		`"fixed_ips":[],"port_security_enabled":false,"device_id":""}`, vlan)
}

// secured is the value of a port in some groups, with an address.
func secured(vlan int, ip string, groups ...string) string {
	list, err := json.Marshal(append([]string{}, groups...))
	if err != nil {
		panic(err)
	}
	return strings.NewReplacer(
		`"port_security_enabled":false`, `"port_security_enabled":true`,
		`"security_groups":[]`, `"security_groups":`+string(list),
		`"fixed_ips":[]`, fmt.Sprintf(`"fixed_ips":[{"subnet_id":"s","ip_address":%q}]`, ip),
	).Replace(port(vlan))
}

// gid numbers security groups.
func gid(n int) string { return fmt.Sprintf("%08x-5c00-4ac2-a1a1-3b6a6d0c0002", n) }

// ssh is a group's value: SSH from the members of a group, if one is named, and
// from this prefix.
func ssh(from string, remote ...string) string {
	rule := `{"is_ipv6":0,"remote_ip_addr":%s,"ip_prefix_len":%d,"remote_group_id":%s,"protocol":6,"port_min":22,"port_max":22}`
	rules := []string{fmt.Sprintf(rule, `"`+from+`"`, 24, "null")}
	for _, g := range remote {
		rules = append(rules, fmt.Sprintf(rule, "null", 0, `"`+g+`"`))
	}
	return `{"ingress_rules":[` + strings.Join(rules, ",") + `],"egress_rules":[]}`
}

// group writes a security group; "": none any more.
func (r *rig) group(n int, value string) { r.global("secgroups/"+gid(n), value) }

// member writes the addresses of a port in a group.
func (r *rig) member(n, port int, value string) {
	r.global("remote_group/"+gid(n)+"/"+uuid(port), value)
}

func (r *rig) global(key, value string) {
	r.Helper()
	r.set("/networking-vpp/global/"+key, value)
}

// set writes a key; "": there is none any more.
func (r *rig) set(key, value string) {
	r.Helper()
	var err error
	if value == "" {
		_, err = r.client.Delete(r.Context(), key)
	} else {
		_, err = r.client.Put(r.Context(), key, value)
	}
	require.NoError(r, err)
}

func (r *rig) put(host string, name, value string) {
	r.Helper()
	_, err := r.client.Put(r.Context(), "/networking-vpp/nodes/"+host+"/ports/"+name, value)
	require.NoError(r, err)
}

func (r *rig) unplug(host string, name string) {
	r.Helper()
	_, err := r.client.Delete(r.Context(), "/networking-vpp/nodes/"+host+"/ports/"+name)
	require.NoError(r, err)
}

// said is what host's agent says under one subtree, by name; revs are the
// revisions at which it said so.
func (r *rig) said(host, tree string) (values map[string]string, revs map[string]int64) {
	r.Helper()
	prefix := "/networking-vpp/state/" + host + "/" + tree
	got, err := r.client.Get(context.Background(), prefix, clientv3.WithPrefix())
	require.NoError(r, err)
	values, revs = map[string]string{}, map[string]int64{}
	for _, kv := range got.Kvs {
		name := strings.TrimPrefix(string(kv.Key), prefix)
		values[name], revs[name] = string(kv.Value), kv.ModRevision
	}
	return values, revs
}

// bound waits until exactly these ports are said to be bound.
func (r *rig) bound(host string, want ...string) {
	r.Helper()
	var got map[string]string
	require.Eventually(r, func() bool {
		got, _ = r.said(host, "ports/")
		for _, name := range want {
			if got[name] == "" {
				return false
			}
		}
		return len(got) == len(want)
	}, time.Minute, 10*time.Millisecond, "%d ports shall be bound on %s", len(want), host)
}

// converged waits until VPP holds what is wanted, and nothing else.
func (r *rig) converged(a *running) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	if err := a.store.Wait(ctx); err != nil {
		for k, s := range a.store.Statuses() {
			if s.State != desiredstate.Applied || s.Leaving {
				r.Errorf("%s: %+v", k, s)
			}
		}
		require.NoError(r, err)
	}
}

// found is what a VPP holds, read by a connection of its own.
func (r *rig) found(site translate.Site, vpp string) (ours, foreign map[desiredstate.Key]desiredstate.Found) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, translate.Owner)
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	e, _ := engine(c, site)
	all, err := e.Found(r.Context())
	require.NoError(r, err)
	ours, foreign = map[desiredstate.Key]desiredstate.Found{}, map[desiredstate.Key]desiredstate.Found{}
	for _, f := range all {
		if f.Foreign {
			foreign[f.Key] = f
		} else {
			ours[f.Key] = f
		}
	}
	return ours, foreign
}

// whole demands that VPP holds these ports, each by the VLAN of its network and, if
// it is filtered, by its groups, and nothing else of ours.
func (r *rig) whole(site translate.Site, vpp string, vlans map[string]int, filtered ...map[string][]string) map[desiredstate.Key]desiredstate.Found {
	r.Helper()
	groups := map[string][]string{}
	for _, f := range filtered {
		groups = f
	}
	have, _ := r.found(site, vpp)
	up := vppnet.Foreign(site.Physnets["physnet1"])
	want := map[desiredstate.Key]bool{vppnet.LinkKey(up): true}
	isUp := func(name string) {
		l, ok := have[vppnet.LinkKey(name)].Spec.(vppnet.LinkState)
		require.True(r, ok && l.Up, "%s is not up", name)
		want[vppnet.LinkKey(name)] = true
	}
	isUp(up)
	for name, vlan := range vlans {
		bridge := fmt.Sprintf("physnet1.vlan.%d", vlan)
		in := func(iface string) {
			p, _ := have[vppnet.BridgePortKey(iface)].Spec.(vppnet.BridgePort)
			require.Equal(r, bridge, p.Bridge, "%s is in another bridge domain", iface)
			want[vppnet.BridgePortKey(iface)], want[vppnet.InterfaceKey(iface)] = true, true
			isUp(iface)
		}
		iface := "port-" + name
		if in, ok := groups[name]; ok {
			iface = "secured-" + name
			for _, k := range r.filtered(have, iface, in) {
				want[k] = true
			}
		}
		in(iface)
		in(bridge)
		require.Equal(r, "vhost-port", have[vppnet.InterfaceKey(iface)].Kind)
		sub, _ := have[vppnet.InterfaceKey(bridge)].Spec.(vppnet.SubInterface)
		require.Equal(r, up, sub.Parent)
		require.EqualValues(r, vlan, sub.Outer)
		require.Equal(r, vppnet.Pop1, sub.Rewrite.Op)
		require.Contains(r, have, vppnet.BridgeKey(bridge))
		want[vppnet.BridgeKey(bridge)] = true
	}
	for k := range have {
		require.True(r, want[k], "%s is there", k)
	}
	return have
}

// filtered demands that an interface is behind the filters of these groups, and
// lists what these are.
func (r *rig) filtered(have map[desiredstate.Key]desiredstate.Found, iface string, groups []string) []desiredstate.Key {
	r.Helper()
	input, output := []string{acl.SpoofFrom}, []string{acl.SpoofTo}
	for _, g := range slices.Compact(slices.Sorted(slices.Values(groups))) {
		input, output = append(input, acl.FromSet(g)), append(output, acl.ToSet(g))
	}
	b, _ := have[acl.BindingKey(iface)].Spec.(acl.Binding)
	require.Equal(r, input, b.Input, iface)
	require.Equal(r, output, b.Output, iface)
	m, _ := have[acl.MACIPBindingKey(iface)].Spec.(acl.MACIPBinding)
	require.Equal(r, iface, m.Set)
	e, _ := have[acl.EtherTypesKey(iface)].Spec.(acl.EtherTypes)
	require.Equal(r, []uint16{0x0806}, e.Input, iface)
	require.Equal(r, []uint16{0x0806}, e.Output, iface)
	out := []desiredstate.Key{acl.EtherTypesKey(iface), acl.BindingKey(iface), acl.MACIPBindingKey(iface), acl.MACIPKey(iface)}
	for _, set := range slices.Concat(input, output) {
		require.Contains(r, have, acl.SetKey(set))
		out = append(out, acl.SetKey(set))
	}
	return out
}

// realEtcd is an etcd in a process of its own, if one is installed.
func realEtcd(t *testing.T, flags ...string) *rig {
	t.Helper()
	return rigOn(t, etcdtest.Start(t, flags...).URL())
}

// loopback makes an interface that stands for a NIC.
func (r *rig) loopback(vpp string) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.CreateLoopback{})
	_, err = interfaces.NewServiceClient(c).CreateLoopback(r.Context(), &interfaces.CreateLoopback{})
	require.NoError(r, err)
}

// byHand makes a loopback in a bridge domain, without any tag, as an operator
// would.
func (r *rig) byHand(vpp string) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.CreateLoopback{}, &l2.BridgeDomainAddDelV2{}, &l2.SwInterfaceSetL2Bridge{})
	loop, err := interfaces.NewServiceClient(c).CreateLoopback(r.Context(), &interfaces.CreateLoopback{})
	require.NoError(r, err)
	bridges := l2.NewServiceClient(c)
	_, err = bridges.BridgeDomainAddDelV2(r.Context(), &l2.BridgeDomainAddDelV2{BdID: 77, IsAdd: true, Learn: true, BdTag: "theirs"})
	require.NoError(r, err)
	_, err = bridges.SwInterfaceSetL2Bridge(r.Context(), &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: loop.SwIfIndex, BdID: 77, Enable: true})
	require.NoError(r, err)
}

// foreignACLs makes sets of somebody else, and binds them to a loopback.
func (r *rig) foreignACLs(vpp string) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.CreateLoopback{}, &binding.ACLAddReplace{}, &binding.MacipACLAddReplace{},
		&binding.ACLInterfaceSetACLList{}, &binding.MacipACLInterfaceAddDel{})
	loop, err := interfaces.NewServiceClient(c).CreateLoopback(r.Context(), &interfaces.CreateLoopback{})
	require.NoError(r, err)
	acls := binding.NewServiceClient(c)
	set, err := acls.ACLAddReplace(r.Context(), &binding.ACLAddReplace{ACLIndex: ^uint32(0), Tag: "sg:theirs.to", Count: 1, R: make([]acl_types.ACLRule, 1)})
	require.NoError(r, err)
	_, err = acls.ACLInterfaceSetACLList(r.Context(), &binding.ACLInterfaceSetACLList{SwIfIndex: loop.SwIfIndex, Count: 1, NInput: 1, Acls: []uint32{set.ACLIndex}})
	require.NoError(r, err)
	macs, err := acls.MacipACLAddReplace(r.Context(), &binding.MacipACLAddReplace{ACLIndex: ^uint32(0), Tag: "theirs", Count: 1, R: make([]acl_types.MacipACLRule, 1)})
	require.NoError(r, err)
	_, err = acls.MacipACLInterfaceAddDel(r.Context(), &binding.MacipACLInterfaceAddDel{IsAdd: true, SwIfIndex: loop.SwIfIndex, ACLIndex: macs.ACLIndex})
	require.NoError(r, err)
}

// index is VPP's number of the interface that VPP names so.
func (r *rig) index(vpp, name string) uint32 {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.SwInterfaceDump{})
	all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(r.Context(), &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	require.NoError(r, err)
	i := slices.IndexFunc(all, func(d *interfaces.SwInterfaceDetails) bool { return d.InterfaceName == name })
	require.GreaterOrEqual(r, i, 0, name)
	return uint32(all[i].SwIfIndex)
}

// setDown sets an interface of the agent's down, as an operator would.
func (r *rig) setDown(vpp, name string) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.SwInterfaceDump{}, &interfaces.SwInterfaceSetFlags{})
	all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(r.Context(), &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	require.NoError(r, err)
	for _, i := range all {
		if i.Tag == translate.Owner+"/"+name {
			_, err = interfaces.NewServiceClient(c).SwInterfaceSetFlags(r.Context(), &interfaces.SwInterfaceSetFlags{SwIfIndex: i.SwIfIndex})
			require.NoError(r, err)
			return
		}
	}
	require.Fail(r, "no such interface", name)
}

// foreign is all that is not ours, as text, but for the uplink, whose link state is.
func (r *rig) foreign(site translate.Site, vpp string) string {
	r.Helper()
	_, all := r.found(site, vpp)
	for _, uplink := range site.Physnets { // seen as a loopback once it is up, if it is one
		delete(all, vppnet.InterfaceKey(vppnet.Foreign(uplink)))
	}
	return r.text(all)
}

// text words what was found, whole and in order.
func (r *rig) text(all map[desiredstate.Key]desiredstate.Found) string {
	r.Helper()
	var out []string
	for k, f := range all {
		spec, err := json.Marshal(f.Spec)
		require.NoError(r, err)
		out = append(out, fmt.Sprintf("%s %d %s", k, f.ID, spec))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// memory starts an in-memory VPP with a NIC.
func memory(t *testing.T) *vpptest.VPP {
	t.Helper()
	return vpptest.New(t, vpptest.WithInterface(nic))
}

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// paged gives an agent a status page, and returns the path of its socket.
func paged(t *testing.T) (string, func(*agent)) {
	t.Helper()
	path := filepath.Join(shortDir(t), "page.sock")
	l, err := listen(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return path, func(a *agent) { a.listener = l }
}
