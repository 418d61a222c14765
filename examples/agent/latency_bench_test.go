// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vpptest"
)

// BenchmarkPutToVPP times from the put of a changed port until VPP has it: the
// port moves to another network, which is there. An op includes the agent's
// saying so in etcd, before the next begins.
func BenchmarkPutToVPP(b *testing.B) {
	for _, ports := range []int{100, 2000} {
		b.Run(fmt.Sprintf("ports=%d", ports), func(b *testing.B) { putToVPP(b, ports) })
	}
}

func putToVPP(b *testing.B, ports int) {
	client, vpp, site := benchHost(b)
	put := func(i, vlan int) {
		_, err := client.Put(b.Context(), site.Ports()+uuid(i), port(vlan))
		require.NoError(b, err)
	}
	for i := range ports {
		put(i, 100+i%10)
	}
	a := newAgent(site, vpp.Socket(), client, time.Hour, slog.New(slog.DiscardHandler))
	a.alone = true
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	idle := func() {
		for name := uuid(ports - 1); ; time.Sleep(time.Millisecond) { // the last put is known of
			if _, known, _ := a.inbox.Look(name); known {
				break
			}
		}
		require.NoError(b, a.store.Wait(b.Context()))
	}
	idle()

	var all []time.Duration
	for i := 0; b.Loop(); i++ {
		before, begin := vpp.Writes(), time.Now()
		put(i%ports, 100+(i+1+i/ports)%10)
		for vpp.Writes() == before {
			time.Sleep(20 * time.Microsecond)
		}
		all = append(all, time.Since(begin))
		idle()
		time.Sleep(time.Millisecond) // for the agent to have said so
	}
	slices.Sort(all)
	b.ReportMetric(all[len(all)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(all[len(all)*99/100].Seconds()*1e3, "p99-ms")
}

// benchHost is a host with an etcd and a VPP, both in this process.
func benchHost(b *testing.B) (*clientv3.Client, *vpptest.VPP, translate.Site) {
	b.Helper()
	e := etcdtest.Embed(b, b.TempDir())
	client, err := etcd.Dial(e.URL(), etcd.Access{})
	require.NoError(b, err)
	b.Cleanup(func() { _ = client.Close() })
	vpp := vpptest.New(b, vpptest.WithInterface(nic))
	site := translate.Site{Host: "h1", Physnets: map[string]string{"physnet1": nic}, Dir: b.TempDir()}
	return client, vpp, site
}
