// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// A VPP is an in-memory VPP. Make one with New or Start.
type VPP struct {
	journal
	faults

	options options
	path    string
	dir     string // of the socket, if it is ours to remove

	startStop sync.Mutex // one Restart, Kill or Close at a time

	main    sync.Mutex    // VPP's main thread: one message at a time, even one that waits
	mu      sync.Mutex    // of all state; held while a message is executed
	life    *life         // replaced with startStop held too
	loading bool          // plugins are being loaded, and teach what is theirs
	taught  []func(*life) // what Handle was given outside of plugins
	pid     uint32
	died    string // of what, if it did

	listening map[string]bool // sockets of VMs; see Listen
}

type options struct {
	socket     string
	without    []string
	nics       []string
	hosts      []string // nil: any
	dirs       []string // nil: any
	namespaces []string // nil: any
	noVhostNet bool
	plugins    []plugin
	release    string // "" is what the bindings are of
	l2Features func(uint32) uint32
	report     func(string) // nil: nobody is told
}

// A plugin is a part of VPP that can be missing.
type plugin struct {
	name string // "" cannot be missing
	load func(*VPP)
}

// The parts of VPP that are built in.
var builtin = []plugin{
	{"", loadCore},
	{"", loadInterfaces},
	{"", loadFeatures},
	{"", loadNodes},
	{"", loadL2},
	{"", loadBonds},
	{"", loadSpan},
	{"policer", loadPolicers},
	{"", loadQoS},
	{"", loadTapV2},
	{"", loadIP},
	{"", loadProxyARP},
	{"af_packet", loadAfPacket},
	{"arping", loadArping},
	{"vhost", loadVhost},
	{"acl", loadACL},
	{"", loadClassify},
	{"dhcp", loadDHCP},
	{"dhcp", loadDHCPClients},
	{"nat", loadNATED},
	{"vrrp", loadVRRP},
	{"nat44_ei", loadNATEI},
	{"lacp", loadLACP},
	{"memif", loadMemif},
	{"vxlan", loadVXLAN},
	{"lisp", loadLISP},
	{"gre", loadGRE},
	{"l3xc", loadL3XC},
	{"abf", loadABF},
	{"mss_clamp", loadMSSClamp},
	{"urpf", loadURPF},
	{"nat64", loadNAT64},
	{"nat66", loadNAT66},
	{"lldp", loadLLDP},
	{"linux_cp", loadLCP},
	{"wireguard", loadWireguard},
	{"", loadPipes},
	{"", loadRxQueues},
}

// An Option changes how a VPP is started.
type Option func(*options)

// WithSocket makes VPP listen on this path. What lies there is removed first, as VPP
// does. Without it, VPP listens in a new temporary directory.
func WithSocket(path string) Option { return func(o *options) { o.socket = path } }

// WithoutPlugin leaves out a plugin: its messages are not in the table. The names are
// those that VPP's startup.conf uses, without "_plugin.so": vhost, af_packet, ….
// A name that is not built in changes nothing.
func WithoutPlugin(name string) Option {
	return func(o *options) { o.without = append(o.without, name) }
}

// WithPlugin adds a plugin: load is called at the start and at every Restart, teaches
// the messages with Handle, and makes the state that they work on anew.
func WithPlugin(name string, load func(*VPP)) Option {
	return func(o *options) { o.plugins = append(o.plugins, plugin{name, load}) }
}

// WithInterface adds a physical Ethernet NIC that exists from the start, with index 1
// for the first, admin down, link up, no tag, and a MAC that depends on its index only.
func WithInterface(name string) Option {
	return func(o *options) { o.nics = append(o.nics, name) }
}

// WithHostDevice makes a Linux device of this name exist, for host-interfaces to
// attach to. Without it, every name of at most 15 bytes exists; with it, only those
// that were named.
func WithHostDevice(name string) Option {
	return func(o *options) { o.hosts = append(o.hosts, name) }
}

// WithDirectory makes a directory exist, for vhost-user servers and memif masters to make
// their sockets in. Without it, every directory exists; with it, only those that were named,
// of which the first is VPP's own, otherwise /run/vpp. The
// in-memory VPP itself never touches the file system, its API socket excepted.
func WithDirectory(path string) Option {
	return func(o *options) { o.dirs = append(o.dirs, path) }
}

// Start starts a VPP; the caller must Close it. It fails when it cannot listen, or the
// Release is unknown.
func Start(opts ...Option) (*VPP, error) {
	v := &VPP{pid: 1000 + rand.Uint32N(1<<15)}
	for _, opt := range opts {
		opt(&v.options)
	}
	if err := v.options.check(); err != nil {
		return nil, err
	}
	v.path = v.options.socket
	if v.path == "" {
		dir, err := os.MkdirTemp("", "vpptest")
		if err != nil {
			return nil, fmt.Errorf("vpptest: %w", err)
		}
		v.dir, v.path = dir, filepath.Join(dir, "api.sock")
	}
	if err := v.Restart(); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// New starts a VPP that is closed when the test ends. It fails the test when it
// cannot listen, when it dies, and when it is asked for what it does not imitate; see
// WithReport.
func New(t testing.TB, opts ...Option) *VPP {
	t.Helper()
	told := WithReport(func(text string) { t.Error(text) })
	v, err := Start(slices.Concat([]Option{told}, opts)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// Socket is the path of the API socket. It stays the same over restarts.
func (v *VPP) Socket() string { return v.path }

// Restart is a crash and a new start: connections are cut, all state is gone, the
// interfaces of WithInterface are back, pid and message ids are new, the socket's
// path is the same. It also starts a VPP that was killed. It must not be called
// from within a Handle function.
func (v *VPP) Restart() error {
	v.startStop.Lock()
	defer v.startStop.Unlock()
	v.stop()

	l := newLife(&v.options)
	v.mu.Lock()
	v.pid++
	l.pid, v.life, v.loading, v.died = v.pid, l, true, ""
	taught := slices.Clone(v.taught)
	v.mu.Unlock()
	for _, p := range slices.Concat(builtin, v.options.plugins) {
		if p.name == "" || !slices.Contains(v.options.without, p.name) {
			p.load(v)
		}
	}
	v.mu.Lock()
	for _, teach := range taught {
		teach(l)
	}
	v.loading = false
	v.mu.Unlock()

	if err := os.Remove(v.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("vpptest: %w", err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: v.path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("vpptest: %w", err)
	}
	ln.SetUnlinkOnClose(false) // the file of a dead VPP stays, and refuses connections
	l.listener = ln
	l.running.Go(func() { v.accept(l) })
	return nil
}

// Kill is a crash: VPP stops listening and cuts all connections. Its socket file
// stays. String still shows the state of the moment of death.
func (v *VPP) Kill() {
	v.startStop.Lock()
	defer v.startStop.Unlock()
	v.stop()
}

// Close ends VPP and removes what Start made. Twice is once.
func (v *VPP) Close() error {
	v.startStop.Lock()
	defer v.startStop.Unlock()
	v.stop()
	if v.dir != "" {
		return os.RemoveAll(v.dir)
	}
	if err := os.Remove(v.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Do runs f as if it were a message: between two others, with their access to state.
func (v *VPP) Do(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f()
	v.life.settle()
}

// stop ends the present life, if any, and waits for all that runs in it.
func (v *VPP) stop() {
	l := v.life
	if l == nil || l.listener == nil {
		return
	}
	l.die()
	l.running.Wait()
}

// learn teaches the present life, and those to come.
func (v *VPP) learn(teach func(*life)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.loading {
		v.taught = append(v.taught, teach)
	}
	teach(v.life)
}
