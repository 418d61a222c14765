// SPDX-License-Identifier: Apache-2.0

package ovstest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// OVS is an Open vSwitch for a test.
type OVS struct {
	t     testing.TB
	dir   string
	proxy *proxy
	made  maker
}

// maker is what differs between a real one and one in memory.
type maker interface {
	startDatabase(t testing.TB, anew bool)
	stopDatabase(t testing.TB)
	startSwitch(t testing.TB)
	stopSwitch(t testing.TB)
	dpdk() bool
}

// start completes an OVS whose files are in dir, and starts it.
func start(t testing.TB, dir string, m maker) *OVS {
	o := &OVS{t: t, dir: dir, made: m}
	require.NoError(t, os.Mkdir(o.VhostDir(), 0o755))
	m.startDatabase(t, true)
	m.startSwitch(t)
	t.Cleanup(func() { m.stopSwitch(t); m.stopDatabase(t) })
	o.proxy = newProxy(t, filepath.Join(dir, "proxy.sock"), o.Direct())
	return o
}

// shortDir is a directory whose path leaves room for a socket's name.
func shortDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "ovs")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Socket is where to reach the database, through the proxy.
func (o *OVS) Socket() string { return o.proxy.socket }

// Direct is where ovsdb-server itself listens.
func (o *OVS) Direct() string { return filepath.Join(o.dir, "db.sock") }

// Dir is where all files are.
func (o *OVS) Dir() string { return o.dir }

// VhostDir is where OVS makes the sockets of dpdkvhostuser ports.
func (o *OVS) VhostDir() string { return filepath.Join(o.dir, "vhost") }

// DPDK says whether there can be vhost-user ports.
func (o *OVS) DPDK() bool { return o.made.dpdk() }

// Writes counts the transactions so far that can change something.
func (o *OVS) Writes() int {
	o.proxy.mu.Lock()
	defer o.proxy.mu.Unlock()
	return o.proxy.writes
}

// FailWrite has the nth such transaction from now refused, or if lost, done and not answered.
func (o *OVS) FailWrite(nth int, lost bool) {
	if lost {
		o.proxy.fail(nth, lose)
	} else {
		o.proxy.fail(nth, refuse)
	}
}

// CutWrite has the connection end at the nth such transaction from now, which is done or not.
func (o *OVS) CutWrite(nth int, done bool) {
	if done {
		o.proxy.fail(nth, cutAfter)
	} else {
		o.proxy.fail(nth, cutBefore)
	}
}

// Heal takes back what has not struck.
func (o *OVS) Heal() { o.proxy.fail(-1<<30, refuse) }

// StopSwitch kills ovs-vswitchd; the database stays.
func (o *OVS) StopSwitch() { o.made.stopSwitch(o.t) }

// StartSwitch starts it again.
func (o *OVS) StartSwitch() { o.made.startSwitch(o.t) }

// Restart kills both, and starts them again, with the same database or a new one.
func (o *OVS) Restart(anew bool) {
	o.made.stopSwitch(o.t)
	o.made.stopDatabase(o.t)
	o.proxy.cut()
	o.made.startDatabase(o.t, anew)
	o.made.startSwitch(o.t)
}
