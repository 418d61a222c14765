// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vppstat_test

import (
	"context"
	"fmt"

	"go.fd.io/govpp/adapter"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/vppstat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What an interface received between two readings. On a real VPP the segment is read by
//
//	stats := statsclient.NewStatsClient("/run/vpp/stats.sock")
//	err := stats.Connect()
func Example() {
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	ctx := context.Background()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "node1")
	if err != nil {
		panic(err)
	}
	defer c.Close()
	engine := desiredstate.New(vppnet.Loopbacks(c))
	if _, err := engine.Ensure(ctx, vppnet.Loopback{Name: "wan"}); err != nil {
		panic(err)
	}

	packets := uint64(0)
	stats := segment(func() ([]adapter.StatEntry, error) {
		packets += 10 // by interface, local0 first
		return []adapter.StatEntry{entry("/if/rx", adapter.CombinedCounterStat{{{0, 0}, {packets, 64 * packets}}})}, nil
	})
	reader := &vppstat.Reader{Conn: c, Stats: stats, Interfaces: vppstat.By[vppnet.Interface](engine)}
	before, err := reader.Snapshot(ctx)
	fmt.Println(before.Interfaces["wan"].Rx, err)
	after, err := reader.Snapshot(ctx)
	fmt.Println(after.Interfaces["wan"].Rx, after.Since(before).Interfaces["wan"].Rx, err)

	// Output:
	// {10 640} <nil>
	// {20 1280} {10 640} <nil>
}
