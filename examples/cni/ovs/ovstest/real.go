// SPDX-License-Identifier: Apache-2.0

package ovstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/stretchr/testify/require"
)

// Where Debian puts what has DPDK.
const withDPDK = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"

// real is an installed OVS, of processes of ours.
type real struct {
	dir      string
	vswitchd string
	db, sw   *program
}

// Real starts the installed OVS, with DPDK if there is such a one, for as long as t lasts. It
// needs neither hugepages nor Linux's openvswitch module, and skips t, loudly, where OVS is not
// installed or cannot be started.
func Real(t testing.TB) *OVS {
	t.Helper()
	r := &real{vswitchd: withDPDK}
	if _, err := os.Stat(withDPDK); err != nil {
		r.vswitchd = "ovs-vswitchd"
	}
	for _, program := range []string{"ovsdb-server", "ovsdb-tool", r.vswitchd} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("REAL OVS NOT INSTALLED (%s): install openvswitch-switch-dpdk, or openvswitch-switch; skipped", program)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("REAL OVS NEEDS ROOT, for a network namespace of its own; skipped")
	}
	if r.dpdk() && !hasVhostRoom() {
		t.Skip("REAL OVS NEEDS 512 MiB OF MEMORY; skipped")
	}
	o, err := start(func(dir string) maker { r.dir = dir; return r })
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("REAL OVS CANNOT HAVE A NETWORK NAMESPACE (%v); skipped", err)
	}
	require.NoError(t, err)
	t.Cleanup(o.Close)
	return o
}

// hasVhostRoom says whether DPDK can have its memory.
func hasVhostRoom() bool {
	var s syscall.Sysinfo_t
	return syscall.Sysinfo(&s) == nil && (s.Freeram+s.Bufferram)*uint64(s.Unit) > 512<<20
}

func (r *real) dpdk() bool { return r.vswitchd == withDPDK }

func (r *real) path(name string) string { return filepath.Join(r.dir, name) }

// command is a program that keeps to the directory.
func (r *real) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = r.dir
	c.Env = append(os.Environ(), "OVS_RUNDIR="+r.dir, "OVS_LOGDIR="+r.dir, "OVS_DBDIR="+r.dir, "OVS_SYSCONFDIR="+r.dir, "RUNTIME_DIRECTORY="+r.dir)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

func (r *real) startDatabase(anew bool) error {
	if anew {
		_ = os.Remove(r.path("conf.db"))
		_ = os.Remove(r.path(".conf.db.~lock~"))
		if err := os.WriteFile(r.path("schema"), schema, 0o644); err != nil {
			return err
		}
		if out, err := r.command("ovsdb-tool", "create", "conf.db", "schema").CombinedOutput(); err != nil {
			return fmt.Errorf("ovsdb-tool: %w\n%s", err, out)
		}
	}
	db := r.command("ovsdb-server", "conf.db", "--remote=punix:db.sock", "--unixctl="+r.path("db.ctl"), "--log-file="+r.path("db.log"), "-vconsole:off")
	var err error
	if r.db, err = run(db); err != nil {
		return err
	}
	row := ovsdb.Operation{Op: "select", Table: "Open_vSwitch"}
	if anew {
		row = ovsdb.Operation{Op: "insert", Table: "Open_vSwitch", Row: ovsdb.Row{"other_config": ovsdb.OvsMap{GoMap: r.settings()}}}
	}
	return r.started("db.log", func() bool { _, err := transact(r.path("db.sock"), row); return err == nil })
}

// settings are those of ovs-vswitchd. Without hugepages memory has to be of the legacy kind. A port that a
// guest comes to takes 60 MB of it: all of them would share 600 MB, and if those are not there, none works.
// The thread that polls sleeps when there is nothing, where OVS can do that.
func (r *real) settings() map[any]any {
	if !r.dpdk() {
		return nil
	}
	return map[any]any{
		"dpdk-init": "true", "vhost-sock-dir": "vhost", "pmd-maxsleep": "1000", "per-port-memory": "true",
		"dpdk-extra": fmt.Sprintf("--no-huge --legacy-mem -m 256 --no-pci --no-telemetry --file-prefix=%s", filepath.Base(r.dir)),
	}
}

func (r *real) stopDatabase() { stop(r.db) }

func (r *real) startSwitch() error {
	before := r.config()
	sw := r.command(r.vswitchd, "unix:db.sock", "--unixctl="+r.path("sw.ctl"), "--log-file="+r.path("sw.log"), "-vconsole:off")
	sw.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET // bridges are devices of Linux
	var err error
	if r.sw, err = run(sw); err != nil {
		return err
	}
	// It is up when it has taken something up.
	_, err = transact(r.path("db.sock"), ovsdb.Operation{
		Op: "mutate", Table: "Open_vSwitch", Mutations: []ovsdb.Mutation{{Column: "next_cfg", Mutator: "+=", Value: 1}},
		Where: []ovsdb.Condition{ovsdb.NewCondition("cur_cfg", ovsdb.ConditionGreaterThanOrEqual, 0)},
	})
	if err != nil {
		return err
	}
	return r.started("sw.log", func() bool { return r.config() > before })
}

func (r *real) config() float64 {
	results, err := transact(r.path("db.sock"), ovsdb.Operation{Op: "select", Table: "Open_vSwitch"})
	if err != nil || len(results[0].Rows) != 1 {
		return -1
	}
	cfg, _ := results[0].Rows[0]["cur_cfg"].(float64)
	return cfg
}

// stopSwitch kills it: what it cleans up at a proper end, such as sockets, it then does not.
func (r *real) stopSwitch() { stop(r.sw) }

// program is a process that runs.
type program struct {
	*exec.Cmd
	dead chan struct{}
}

// run starts a program. Linux kills it when the thread that started it ends, as threads do that were in
// a network namespace; so that thread waits for it, and does nothing else.
func run(c *exec.Cmd) (*program, error) {
	p := &program{c, make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.Start()
		started <- err
		if err == nil {
			_ = c.Wait()
		}
		close(p.dead)
	}()
	return p, <-started
}

func stop(p *program) {
	if p != nil && p.Process != nil {
		_ = p.Process.Kill()
		<-p.dead
	}
}

func (r *real) started(log string, so func() bool) error {
	err := eventually("OVS", so)
	if err != nil {
		err = fmt.Errorf("%w; its log ends:\n%s", err, tail(r.path(log)))
	}
	return err
}

// Log is the end of what a real ovs-vswitchd has logged.
func (o *OVS) Log() string { return tail(filepath.Join(o.dir, "sw.log")) }

func tail(file string) string {
	text, _ := os.ReadFile(file)
	return string(text[max(0, len(text)-4000):])
}
