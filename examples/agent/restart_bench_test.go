// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
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
	once := func() {
		a := newAgent(site, vpp.Socket(), client, time.Hour, slog.New(slog.DiscardHandler))
		a.alone = true
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- a.run(ctx) }()
		for !a.announcer.settled.Load() {
			time.Sleep(time.Millisecond)
		}
		require.NoError(b, a.store.Wait(b.Context()))
		cancel()
		<-done
	}
	once()
	vpp.ResetLog()
	for b.Loop() {
		once()
	}
	require.Zero(b, vpp.Writes())
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/ports, "µs/port")
}
