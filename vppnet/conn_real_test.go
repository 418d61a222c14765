// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vppnet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/policer"

	"github.com/vppkit/vppkit/vppnet"
)

// realVPP starts the VPP that $VPPKIT_VPP names, or the one on PATH.
func realVPP(t testing.TB, dir string) *os.Process {
	t.Helper()
	bin := os.Getenv("VPPKIT_VPP")
	if bin == "" {
		bin, _ = exec.LookPath("vpp")
	}
	if bin == "" {
		t.Skip("NOT RUN AGAINST A REAL VPP: there is no vpp on PATH and VPPKIT_VPP is not set")
	}
	plugins := "plugin dpdk_plugin.so { disable }"
	if found, _ := filepath.Glob(filepath.Join(filepath.Dir(bin), "../lib/*/vpp_plugins")); len(found) > 0 {
		plugins += " path " + found[0]
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	cmd := exec.Command(bin, fmt.Sprintf(
		"unix { nodaemon cli-listen %[1]s/cli.sock runtime-dir %[1]s } api-segment { prefix %[2]s } socksvr { socket-name %[1]s/api.sock } "+
			"statseg { socket-name %[1]s/stats.sock } memory { main-heap-size 512M main-heap-page-size 4k } "+
			"buffers { page-size 4k buffers-per-numa 16384 } plugins { %[3]s } cpu { }", dir, filepath.Base(dir), plugins))
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process
}

func dialReal(t testing.TB, dir string, opts ...vppnet.Option) *vppnet.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := vppnet.Dial(ctx, filepath.Join(dir, "api.sock"), "me", opts...)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	c.Uses(&interfaces.CreateLoopback{}, &interfaces.SwInterfaceDump{}, &interfaces.SwInterfaceSetFlags{}, &interfaces.SwInterfaceTxPlacementGet{},
		&policer.PolicerAdd{}, &policer.PolicerInputV2{})
	return c
}

func TestRealVPP(t *testing.T) {
	dir := shortDir(t)
	vpp := realVPP(t, dir)
	c := dialReal(t, dir, vppnet.WithWedgedAfter(3*time.Second), vppnet.WithReplyTimeout(time.Second))
	t.Log(c.VPP())
	require.EqualValues(t, vpp.Pid, c.VPP().PID)
	require.Equal(t, c.VPP(), dialReal(t, dir).VPP())

	// All at once, each with its own answer.
	ctx := t.Context()
	events, err := c.Watch(ctx)
	require.NoError(t, err)
	client := interfaces.NewServiceClient(c)
	var all sync.WaitGroup
	for range 500 {
		all.Go(func() {
			r, err := client.CreateLoopback(ctx, &interfaces.CreateLoopback{})
			if err == nil {
				_, err = client.SwInterfaceSetFlags(ctx, &interfaces.SwInterfaceSetFlags{SwIfIndex: r.SwIfIndex, Flags: interface_types.IF_STATUS_API_FLAG_ADMIN_UP})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	up := make(map[uint32]bool)
	for len(up) < 500 {
		select {
		case e := <-events:
			require.Zero(t, e.Lost)
			up[e.Index] = up[e.Index] || e.AdminUp
		case <-time.After(10 * time.Second):
			t.Fatalf("events of %d interfaces", len(up))
		}
	}
	found, err := vppnet.Collect(dump(ctx, c))
	require.NoError(t, err)
	require.Len(t, found, 501)

	_, err = client.SwInterfaceSetFlags(ctx, &interfaces.SwInterfaceSetFlags{SwIfIndex: 9999})
	require.ErrorIs(t, err, api.INVALID_SW_IF_INDEX)
	_, err = policer.NewServiceClient(c).PolicerInputV2(ctx, &policer.PolicerInputV2{PolicerIndex: 77, SwIfIndex: 1})
	if !errors.Is(err, vppnet.ErrUnsupported) { // as on 26.06
		require.ErrorIs(t, err, api.NO_SUCH_ENTRY, "answered with the reply of policer_input")
	}

	// Hung for less than the limit, then for longer.
	require.NoError(t, vpp.Signal(syscall.SIGSTOP))
	time.AfterFunc(2*time.Second, func() { vpp.Signal(syscall.SIGCONT) })
	require.ErrorIs(t, ping(ctx, c), vppnet.ErrTimeout)
	time.Sleep(1500 * time.Millisecond)
	require.NoError(t, ping(ctx, c))
	require.NotZero(t, c.Stats().Late)
	require.NoError(t, vpp.Signal(syscall.SIGSTOP))
	for range 64 {
		all.Go(func() {
			for c.Err() == nil {
				ping(context.Background(), c)
			}
		})
	}
	select {
	case <-c.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("a hung VPP was not noticed")
	}
	all.Wait()
	require.ErrorIs(t, c.Err(), vppnet.ErrWedged)
	require.NoError(t, vpp.Signal(syscall.SIGCONT))

	// Killed with calls in flight.
	c = dialReal(t, dir)
	before := c.VPP()
	for range 64 {
		all.Go(func() {
			for ping(context.Background(), c) == nil {
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	require.NoError(t, vpp.Kill())
	all.Wait()
	require.ErrorIs(t, c.Err(), vppnet.ErrDisconnected)
	vpp.Wait()

	realVPP(t, dir)
	require.NotEqual(t, before, dialReal(t, dir).VPP())
}

// BenchmarkRealVPP is what a real VPP makes of it.
func BenchmarkRealVPP(b *testing.B) {
	dir := shortDir(b)
	realVPP(b, dir)
	c := dialReal(b, dir)
	ctx := context.Background()
	b.Run("Invoke", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, ping(ctx, c))
		}
	})
	for _, n := range []int{64, 1024} {
		b.Run(fmt.Sprint("Invoke", n), func(b *testing.B) {
			var all sync.WaitGroup
			for g := range n {
				all.Go(func() {
					for i := g; i < b.N; i += n {
						if err := ping(ctx, c); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
		})
	}
	for range 1000 {
		_, err := interfaces.NewServiceClient(c).CreateLoopback(ctx, &interfaces.CreateLoopback{})
		require.NoError(b, err)
	}
	b.Run("Dump1000", func(b *testing.B) {
		for b.Loop() {
			all, err := vppnet.Collect(dump(ctx, c))
			require.NoError(b, err)
			require.Len(b, all, 1001)
		}
	})
}
