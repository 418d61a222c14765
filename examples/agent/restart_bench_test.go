// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
)

// BenchmarkRestart starts an agent whose 10,000 ports are all in VPP and in etcd,
// until it has converged and said so.
func BenchmarkRestart(b *testing.B) {
	const ports = 10000
	client, vpp, site := benchHost(b)
	for i := 0; i < ports; i += 100 {
		var ops []clientv3.Op
		for p := i; p < i+100; p++ {
			ops = append(ops, clientv3.OpPut(site.Ports()+uuid(p), port(100+p%(ports/10))))
		}
		_, err := client.Txn(b.Context()).Then(ops...).Commit()
		require.NoError(b, err)
	}
	var listed, read, planned, said time.Duration // by when, of all runs
	once := func() {
		a := newAgent(site, vpp.Socket(), client, time.Hour, slog.New(slog.DiscardHandler))
		a.alone = true
		start := time.Now()
		var lastRead atomic.Int64
		a.watcher = func(e desiredstate.Event) {
			if e.Type == desiredstate.Read {
				lastRead.Store(int64(time.Since(start)))
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- a.run(ctx) }()
		for a.etcdLost.Load() != nil {
			time.Sleep(time.Millisecond)
		}
		listed += time.Since(start)
		require.NoError(b, a.store.Wait(b.Context()))
		planned += time.Since(start)
		for !a.announcer.settled.Load() {
			time.Sleep(time.Millisecond)
		}
		said += time.Since(start)
		read += time.Duration(lastRead.Load())
		cancel()
		<-done
	}
	once()
	vpp.ResetLog()
	listed, read, planned, said = 0, 0, 0, 0
	for b.Loop() {
		once()
	}
	require.Zero(b, vpp.Writes())
	for unit, at := range map[string]time.Duration{"s-listed": listed, "s-read": read, "s-converged": planned, "s-said": said} {
		b.ReportMetric(at.Seconds()/float64(b.N), unit) // after its start
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/ports, "µs/port")
}
