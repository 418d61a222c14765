// SPDX-License-Identifier: Apache-2.0

package ovstest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// OVS is an Open vSwitch for tests. What its methods cannot do, they panic of.
type OVS struct {
	dir     string
	proxy   *proxy
	made    maker
	stopped atomic.Bool // ovs-vswitchd, by the test
}

// maker is what differs between a real one and one in memory.
type maker interface {
	startDatabase(anew bool) error
	stopDatabase()
	startSwitch() error
	stopSwitch()
	dpdk() bool
}

// Start starts an OVS in memory.
func Start() (*OVS, error) {
	hush()
	return start(func(dir string) maker { return &memory{dir: dir} })
}

// New starts an OVS in memory, for as long as t lasts.
func New(t testing.TB) *OVS {
	t.Helper()
	o, err := Start()
	require.NoError(t, err)
	t.Cleanup(o.Close)
	return o
}

// start starts an OVS with all files in a directory of its own, whose path leaves room for the
// names of sockets.
func start(make func(dir string) maker) (*OVS, error) {
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		return nil, err
	}
	o := &OVS{dir: dir, made: make(dir)}
	if err := o.begin(); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

func (o *OVS) begin() (err error) {
	if err := os.Mkdir(o.VhostDir(), 0o755); err != nil {
		return err
	}
	if err := o.made.startDatabase(true); err != nil {
		return err
	}
	if err := o.made.startSwitch(); err != nil {
		return err
	}
	o.proxy, err = newProxy(filepath.Join(o.dir, "proxy.sock"), o.Direct())
	return err
}

// Close ends it, and removes its files.
func (o *OVS) Close() {
	if o.proxy != nil {
		o.proxy.close()
	}
	o.made.stopSwitch()
	o.made.stopDatabase()
	_ = os.RemoveAll(o.dir)
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

// FailWrite has the nth such transaction from now fail: refused, or if lost, done and answered
// by an error, for which nobody has to wait.
func (o *OVS) FailWrite(nth int, lost bool) {
	if lost {
		o.proxy.fail(nth, lie)
	} else {
		o.proxy.fail(nth, refuse)
	}
}

// LoseReply has the nth such transaction from now done, and never answered.
func (o *OVS) LoseReply(nth int) { o.proxy.fail(nth, lose) }

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
func (o *OVS) StopSwitch() {
	o.stopped.Store(true)
	o.made.stopSwitch()
}

// StartSwitch starts it again.
func (o *OVS) StartSwitch() {
	must(o.made.startSwitch())
	o.stopped.Store(false)
}

// Restart kills both, and starts them again, with the same database or a new one.
func (o *OVS) Restart(anew bool) {
	o.made.stopSwitch()
	o.made.stopDatabase()
	o.proxy.cut()
	must(o.made.startDatabase(anew))
	must(o.made.startSwitch())
}

// Hang has ovsdb-server answer nobody, or do so again.
func (o *OVS) Hang(on bool) { o.proxy.hang(on) }

// Cut ends all connections.
func (o *OVS) Cut() { o.proxy.cut() }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// eventually waits until it is so.
func eventually(what string, so func() bool) error {
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%s does not start", what)
		}
	}
	return nil
}
