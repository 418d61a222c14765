// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/vppkit/vppkit/examples/agent/observe"
	"github.com/vppkit/vppkit/vppnet"
)

// Whoever asks of a router, a floating IP or a key of a family that is not served hears what it is or why not, by
// its UUID.
func TestExplainRouters(t *testing.T) {
	r, v := newRig(t), memory(t)
	path, page := paged(t)
	for name, value := range tenants() {
		r.routing("h1", name, value)
	}
	r.routing("h1", floatKey(3), float(900, 101, "203.0.113.1", "192.168.1.12"))
	r.set(r.siteOf("h1", nic).Keys()+"taas_service/"+uuid(9), "junk")
	r.set(r.siteOf("h1", nic).Keys()+"weather/"+uuid(8), "sunny")
	a := r.agent(r.siteOf("h1", nic), v.Socket(), page)
	r.bound("h1")
	require.Eventually(t, func() bool { said, _ := r.said("h1", "errors/"); return len(said) == 3 }, 20*time.Second, 10*time.Millisecond)
	_ = a.store.Wait(t.Context())
	explain := func(exit int, of string, says ...string) {
		t.Helper()
		out, errs, code := said(t, "explain", of, "--socket", path)
		require.Equal(t, exit, code, out+errs)
		for _, s := range says {
			require.Contains(t, out+errs, s)
		}
	}
	explain(0, rid(1), "table/router-"+rid(1), "wanted by /networking-vpp/nodes/h1/routers/"+rid(1)+"/ at revision ")
	explain(0, fid(1), "nat-mapping/fip-"+fid(1), "wanted by /networking-vpp/nodes/h1/routers/"+floatKey(1)+" at revision ")
	explain(exitFailed, fid(3), `"`+floatKey(3)+`" is not served: floating_ip_address: 203.0.113.1 is by whom router `+rid(1)+" leads out")
	explain(exitFailed, uuid(9), `"taas_service/`+uuid(9)+`" is not served: `)
	explain(exitFailed, uuid(8), `"weather/`+uuid(8)+`" is not served: this agent serves no weather`)
}

// The key of a router is a trace as a port's is, from its revision in etcd to VPP's messages.
func TestRoutersAreTraced(t *testing.T) {
	r, v := newRig(t), memory(t)
	traced := tracetest.NewInMemoryExporter()
	a := r.agent(r.siteOf("h1", nic), v.Socket(), func(a *agent) {
		a.dial = nil
		a.insight.spans = observe.NewSpans(sdk.NewTracerProvider(sdk.WithSyncer(traced)), a.store.Sources)
	})
	r.bound("h1")
	r.converged(a)
	keys := tenants()
	site := r.siteOf("h1", nic)
	at := map[string]int64{}
	for _, name := range []string{legKey(1, 101), legKey(1, 102), exitKey(1), floatKey(1)} {
		done, err := r.client.Put(t.Context(), site.Routers()+name, keys[name])
		require.NoError(t, err)
		at[name] = done.Header.Revision
	}
	var parents map[string]string
	var revisions map[string]int64
	require.Eventually(t, func() bool {
		parents, revisions = map[string]string{}, map[string]int64{}
		all := traced.GetSpans()
		for _, s := range all {
			for _, p := range all {
				if p.SpanContext.SpanID() == s.Parent.SpanID() && p.SpanContext.TraceID() == s.SpanContext.TraceID() {
					parents[s.Name] = p.Name
				}
			}
			for _, x := range s.Attributes {
				if x.Key == "etcd.revision" {
					revisions[s.Name] = max(revisions[s.Name], x.Value.AsInt64())
				}
			}
		}
		return parents["create nat-mapping"] != "" && revisions["fip/"+fid(1)] != 0 && parents["nat44_add_del_static_mapping_v2"] != ""
	}, 20*time.Second, 20*time.Millisecond, "%v %v", &parents, &revisions)
	require.Equal(t, "fip/"+fid(1), parents["create nat-mapping"])
	require.Equal(t, "create nat-mapping", parents["nat44_add_del_static_mapping_v2"])
	require.Equal(t, at[floatKey(1)], revisions["fip/"+fid(1)])
	require.Contains(t, []int64{at[legKey(1, 101)], at[legKey(1, 102)], at[exitKey(1)]}, revisions["router/"+rid(1)])
	st, ok := a.store.Status(vppnet.InterfaceKey("bvi-physnet1.vlan.101"))
	require.True(t, ok && st.Err == nil)
}
