// SPDX-License-Identifier: Apache-2.0

// Package etcdtest has etcds for tests that have to be killed, held or rolled back, and wires to
// them that break; certificates, and an etcd that asks for them.
package etcdtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is etcds, most often one, each in a process of its own, that keep their data over
// restarts. Its methods are for the test's own goroutine.
type Process struct {
	t       testing.TB
	bin     string
	flags   []string
	members []*member
}

type member struct {
	name, dir, client, peer string
	cmd                     *exec.Cmd // nil: it does not run
	says                    bytes.Buffer
}

// Start starts the etcd on PATH, with more flags; without one the test is skipped.
func Start(t testing.TB, flags ...string) *Process { return Cluster(t, 1, flags...) }

// Cluster starts n members of one etcd.
func Cluster(t testing.TB, n int, flags ...string) *Process {
	t.Helper()
	bin, err := exec.LookPath("etcd")
	if err != nil {
		t.Skip("NOT TESTED AGAINST A REAL ETCD PROCESS: no etcd on PATH")
	}
	p := &Process{t: t, bin: bin, flags: flags}
	for i := range n {
		p.members = append(p.members, &member{
			name: fmt.Sprintf("m%d", i), dir: t.TempDir(), client: "http://" + FreeAddr(t), peer: "http://" + FreeAddr(t),
		})
	}
	p.Start()
	t.Cleanup(p.Kill)
	return p
}

// URL is where clients reach it: all members, with commas between.
func (p *Process) URL() string {
	var urls []string
	for _, m := range p.members {
		urls = append(urls, m.client)
	}
	return strings.Join(urls, ",")
}

// Start starts those that do not run.
func (p *Process) Start() {
	p.t.Helper()
	var peers []string
	for _, m := range p.members {
		peers = append(peers, m.name+"="+m.peer)
	}
	for _, m := range p.members {
		if m.cmd != nil {
			continue
		}
		m.cmd = exec.Command(p.bin, append([]string{
			"--name", m.name, "--data-dir", m.data(), "--listen-client-urls", m.client, "--advertise-client-urls", m.client,
			"--listen-peer-urls", m.peer, "--initial-advertise-peer-urls", m.peer, "--initial-cluster", strings.Join(peers, ","),
		}, p.flags...)...)
		m.cmd.Env = append(os.Environ(), "ETCD_LOGGER=zap", "ETCD_LOG_LEVEL=error")
		m.says.Reset()
		m.cmd.Stderr = &m.says
		if err := m.cmd.Start(); err != nil {
			p.t.Fatal(err)
		}
	}
	p.listening()
}

func (m *member) data() string { return filepath.Join(m.dir, "data") }

// listening waits until all are reached: who dials earlier would only try again later.
func (p *Process) listening() {
	p.t.Helper()
	for _, m := range p.members {
		for until := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			c, err := net.Dial("tcp", strings.TrimPrefix(m.client, "http://"))
			if err == nil {
				_ = c.Close()
				break
			}
			if time.Now().After(until) {
				_ = m.cmd.Process.Kill()
				_ = m.cmd.Wait() // it has written all that it says
				m.cmd = nil
				p.t.Fatalf("etcd does not listen at %s: %v; it said %s", m.client, err, &m.says)
			}
		}
	}
}

// Kill kills all with SIGKILL; their data stay.
func (p *Process) Kill() {
	for i := range p.members {
		p.KillOne(i)
	}
}

// KillOne kills one member, by its number.
func (p *Process) KillOne(i int) {
	if m := p.members[i]; m.cmd != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		m.cmd = nil
	}
}

// Hold has one member stand still, with all its connections open, until Go.
func (p *Process) Hold(i int) { p.signal(i, syscall.SIGSTOP) }

// Go lets one go on.
func (p *Process) Go(i int) { p.signal(i, syscall.SIGCONT) }

func (p *Process) signal(i int, s syscall.Signal) {
	p.t.Helper()
	if err := p.members[i].cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Save copies the data of a process with one member, which is stopped for that moment.
func (p *Process) Save() (copied string) {
	p.t.Helper()
	copied = p.t.TempDir()
	p.Kill()
	if err := os.CopyFS(copied, os.DirFS(p.members[0].data())); err != nil {
		p.t.Fatal(err)
	}
	p.Start()
	return copied
}

// Restore has it go on with a copy of earlier data; "": with none. It keeps its id and that of its
// cluster.
func (p *Process) Restore(copied string) {
	p.t.Helper()
	p.Kill()
	if err := os.RemoveAll(p.members[0].data()); err != nil {
		p.t.Fatal(err)
	}
	if copied != "" {
		if err := os.CopyFS(p.members[0].data(), os.DirFS(copied)); err != nil {
			p.t.Fatal(err)
		}
	}
	p.Start()
}

// RestoreSnapshot has it go on with what etcdctl makes of a snapshot: another cluster, whose revisions
// go on from those of the snapshot.
func (p *Process) RestoreSnapshot(snapshot string) {
	p.t.Helper()
	p.Kill()
	m := p.members[0]
	if err := os.RemoveAll(m.data()); err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command("etcdctl", "snapshot", "restore", snapshot, "--data-dir", m.data(), "--name", m.name,
		"--initial-cluster", m.name+"="+m.peer, "--initial-advertise-peer-urls", m.peer,
		"--initial-cluster-token", fmt.Sprint(time.Now().UnixNano()))
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	if text, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("etcdctl snapshot restore: %v: %s", err, text)
	}
	p.Start()
}

// FreeAddr is a TCP port of 127.0.0.1 that nobody listens on, and that is the test's until it
// ends: Linux gives it to no connection, as it is below those that Linux picks, and no other
// test takes it, as the UDP port of the same number is held.
func FreeAddr(t testing.TB) string {
	t.Helper()
	const first, last = 16_384, 32_767 // net.ipv4.ip_local_port_range begins after these
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first+1))
		held, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			t.Cleanup(func() { _ = held.Close() })
			return addr
		}
		_ = held.Close()
	}
	t.Fatalf("no free TCP port from %d to %d", first, last)
	return ""
}
