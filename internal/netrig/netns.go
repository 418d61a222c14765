// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package netrig is what tests put around a real VPP to send packets through it:
// network namespaces, veth pairs and bridges of Linux, packet sockets, and guests,
// which are VMs on vhost-user ports as far as VPP can tell. All of it goes with the
// test. It needs root and iproute2; where these lack, tests are skipped, in capitals.
package netrig

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A NetNS is a named network namespace, as in ip-netns, and vpptest.InNetNS.
type NetNS string

var made atomic.Int64

// New makes a network namespace that goes with the test. Its loopback is up.
func New(t testing.TB, name string) NetNS {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT ROOT: NO NETWORK NAMESPACES, SO NO PACKETS THROUGH A REAL VPP")
	}
	for _, tool := range []string{"ip", "ping"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("NO PACKETS THROUGH A REAL VPP: %v; install iproute2 and iputils-ping", err)
		}
	}
	n := NetNS(fmt.Sprintf("vppkit-%d-%d-%s", os.Getpid(), made.Add(1), name))
	if out, err := exec.Command("ip", "netns", "add", string(n)).CombinedOutput(); err != nil {
		_ = exec.Command("ip", "netns", "del", string(n)).Run() // it may be half made
		t.Skipf("NO NETWORK NAMESPACES, SO NO PACKETS THROUGH A REAL VPP: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", string(n)).CombinedOutput(); err != nil {
			t.Errorf("ip netns del %s: %v: %s", n, err, out)
		}
	})
	n.IP(t, "link", "set", "lo", "up")
	return n
}

// IP runs ip(8) in the namespace.
func (n NetNS) IP(t testing.TB, args ...string) {
	t.Helper()
	out, err := exec.Command("ip", append([]string{"-n", string(n)}, args...)...).CombinedOutput()
	require.NoError(t, err, "ip -n %s %s: %s", n, strings.Join(args, " "), out)
}

// Command is a program to be run in the namespace.
func (n NetNS) Command(t testing.TB, args ...string) *exec.Cmd {
	return exec.CommandContext(t.Context(), "ip", append([]string{"netns", "exec", string(n)}, args...)...)
}

// Do runs f in the namespace; the sockets that it makes stay there.
func (n NetNS) Do(t testing.TB, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- n.enter(f)
	}()
	require.NoError(t, <-done, "in %s", n)
}

func (n NetNS) enter(f func() error) error {
	file, err := os.Open("/run/netns/" + string(n))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("setns: %w", err)
	}
	return f()
}
