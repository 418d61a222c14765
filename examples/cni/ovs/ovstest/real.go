// SPDX-License-Identifier: Apache-2.0

package ovstest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/stretchr/testify/require"
)

// Where Debian puts what has DPDK.
const withDPDK = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"

// real is an installed OVS, of processes of ours.
type real struct {
	dir      string
	vswitchd string
	db, sw   *exec.Cmd
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
	r.dir = shortDir(t)
	return start(t, r.dir, r)
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

func (r *real) startDatabase(t testing.TB, anew bool) {
	if anew {
		_ = os.Remove(r.path("conf.db"))
		_ = os.Remove(r.path(".conf.db.~lock~"))
		require.NoError(t, os.WriteFile(r.path("schema"), schema, 0o644))
		out, err := r.command("ovsdb-tool", "create", "conf.db", "schema").CombinedOutput()
		require.NoError(t, err, string(out))
	}
	r.db = r.command("ovsdb-server", "conf.db", "--remote=punix:db.sock", "--unixctl="+r.path("db.ctl"), "--log-file="+r.path("db.log"), "-vconsole:off")
	require.NoError(t, r.db.Start())
	r.wait(t, "db.log", func() bool {
		_, err := transact(r.path("db.sock"), ovsdb.Operation{Op: "select", Table: "Open_vSwitch"})
		return err == nil
	})
	if !anew {
		return
	}
	config := map[any]any{}
	if r.dpdk() {
		// Without hugepages memory has to be of the legacy kind. The thread that polls sleeps
		// when there is nothing, where OVS can do that.
		config = map[any]any{
			"dpdk-init": "true", "dpdk-extra": fmt.Sprintf("--no-huge --legacy-mem -m 256 --no-pci --no-telemetry --file-prefix=ovstest-%d", os.Getpid()),
			"vhost-sock-dir": "vhost", "pmd-maxsleep": "1000",
		}
	}
	_, err := transact(r.path("db.sock"), ovsdb.Operation{Op: "insert", Table: "Open_vSwitch", Row: ovsdb.Row{"other_config": ovsdb.OvsMap{GoMap: config}}})
	require.NoError(t, err)
}

func (r *real) stopDatabase(testing.TB) { stop(r.db) }

func (r *real) startSwitch(t testing.TB) {
	before := r.config()
	r.sw = r.command(r.vswitchd, "unix:db.sock", "--unixctl="+r.path("sw.ctl"), "--log-file="+r.path("sw.log"), "-vconsole:off")
	r.sw.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET // bridges are devices of Linux
	if err := r.sw.Start(); err != nil {
		t.Skipf("REAL OVS CANNOT BE STARTED (%v); skipped", err)
	}
	// It is up when it has taken something up.
	_, err := transact(r.path("db.sock"), ovsdb.Operation{
		Op: "mutate", Table: "Open_vSwitch", Mutations: []ovsdb.Mutation{{Column: "next_cfg", Mutator: "+=", Value: 1}},
		Where: []ovsdb.Condition{ovsdb.NewCondition("cur_cfg", ovsdb.ConditionGreaterThanOrEqual, 0)},
	})
	require.NoError(t, err)
	r.wait(t, "sw.log", func() bool { return r.config() > before })
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
func (r *real) stopSwitch(testing.TB) { stop(r.sw) }

func stop(c *exec.Cmd) {
	if c != nil && c.Process != nil && c.ProcessState == nil {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}

func (r *real) wait(t testing.TB, log string, until func() bool) {
	for end := time.Now().Add(30 * time.Second); !until(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			text, _ := os.ReadFile(r.path(log))
			t.Fatalf("OVS does not start; its log:\n%s", text[max(0, len(text)-4000):])
		}
	}
}

// Log is what ovs-vswitchd has logged, if it is a real one: its last lines.
func (o *OVS) Log() string {
	text, _ := os.ReadFile(filepath.Join(o.dir, "sw.log"))
	return string(slices.Clone(text[max(0, len(text)-4000):]))
}
