// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Metrics counts what engines do and VPP answers, for Prometheus:
//
//	vppkit_object_operations_total{space,action,result}      what was done to objects; result is ok or failed
//	vppkit_object_operation_duration_seconds{space,action}   how long one thing took
//	vppkit_object_blocked_total{space}                       how often an object had to wait for others
//	vppkit_object_drift_total{space}                         objects found other than they were left
//	vppkit_reads_total{kind,result}                          listings of VPP, by kind of object
//	vppkit_read_duration_seconds{kind}
//	vppkit_held_back_total                                   how often removals were held back
//	vppkit_vpp_messages_total{message,result}                requests to VPP; result is ok, refused (by VPP) or failed
//	vppkit_vpp_message_duration_seconds{message}             until VPP answered; not of dumps
//
// and, for a Store that Watch was told of:
//
//	vppkit_objects{space,state}                              objects that are wanted, or have not gone yet
//	vppkit_converged                                         1 if all that is wanted is in, and nothing else
//	vppkit_held_back_objects                                 objects that are not removed until somebody confirms it
//
// and, for a connection that Connection is told of:
//
//	vppkit_vpp_connected                                     1 if there is one
//	vppkit_vpp_connections_total
//	vppkit_vpp_calls_pending, vppkit_vpp_messages_queued     calls that wait for VPP, messages that wait for us
//
// It is safe for concurrent use.
type Metrics struct {
	reg prometheus.Registerer

	operations, blocked, drift, reads, messages *prometheus.CounterVec
	took, readTook, messageTook                 *prometheus.HistogramVec
	heldBack, connections                       prometheus.Counter
	conn                                        current
}

// buckets reach from what VPP does with one message to what it does with a giant bridge domain.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// NewMetrics registers the metrics; it panics if they are registered there already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{reg: reg}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	durations := func(name, help string, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		reg.MustRegister(v)
		return v
	}
	m.operations = counters("vppkit_object_operations_total", "What was done to objects in VPP.", "space", "action", "result")
	m.took = durations("vppkit_object_operation_duration_seconds", "How long one thing that was done to an object took.", "space", "action")
	m.blocked = counters("vppkit_object_blocked_total", "How often an object had to wait for others.", "space")
	m.drift = counters("vppkit_object_drift_total", "Objects that were found in VPP other than they were left.", "space")
	m.reads = counters("vppkit_reads_total", "Listings of VPP, by kind of object.", "kind", "result")
	m.readTook = durations("vppkit_read_duration_seconds", "How long a listing of VPP took.", "kind")
	m.messages = counters("vppkit_vpp_messages_total", "Requests to VPP.", "message", "result")
	m.messageTook = durations("vppkit_vpp_message_duration_seconds", "How long VPP took to answer a request.", "message")
	m.heldBack = prometheus.NewCounter(prometheus.CounterOpts{Name: "vppkit_held_back_total", Help: "How often removals were held back."})
	m.connections = prometheus.NewCounter(prometheus.CounterOpts{Name: "vppkit_vpp_connections_total", Help: "Connections to VPPs that were made."})
	reg.MustRegister(m.heldBack, m.connections)
	gauge := func(name, help string, f func(vppnet.Stats, bool) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return f(m.conn.stats()) }))
	}
	gauge("vppkit_vpp_connected", "1 if there is a connection to VPP.", func(_ vppnet.Stats, ok bool) float64 { return boolean(ok) })
	gauge("vppkit_vpp_calls_pending", "Calls that wait for VPP's answer.", func(s vppnet.Stats, _ bool) float64 { return float64(s.Pending) })
	gauge("vppkit_vpp_messages_queued", "Messages from VPP that wait for whoever asked.", func(s vppnet.Stats, _ bool) float64 { return float64(s.Queued) })
	return m
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Event counts what an engine tells; for Engine.Observe.
func (m *Metrics) Event(e desiredstate.Event) {
	switch e.Type {
	case desiredstate.Done, desiredstate.Failed:
		action, _ := e.Action.MarshalText() // it always has a name
		m.operations.WithLabelValues(e.Key.Space, string(action), result(e.Err)).Inc()
		m.took.WithLabelValues(e.Key.Space, string(action)).Observe(e.Took.Seconds())
	case desiredstate.Waiting:
		m.blocked.WithLabelValues(e.Key.Space).Inc()
	case desiredstate.Drift:
		m.drift.WithLabelValues(e.Key.Space).Inc()
	case desiredstate.Read, desiredstate.ReadFailed:
		m.reads.WithLabelValues(e.Kind, result(e.Err)).Inc()
		m.readTook.WithLabelValues(e.Kind).Observe(e.Took.Seconds())
	case desiredstate.HeldBack:
		m.heldBack.Inc()
	}
}

// Message counts a request to VPP; for vppnet.WithTrace.
func (m *Metrics) Message(t vppnet.Trace) {
	m.messages.WithLabelValues(t.Message, result(t.Err)).Inc()
	if t.Duration > 0 { // what a stream sent, a dump, is not waited for
		m.messageTook.WithLabelValues(t.Message).Observe(t.Duration.Seconds())
	}
}

// result says how something ended, in one of few words.
func result(err error) string {
	var refused api.VPPApiError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refused):
		return "refused"
	}
	return "failed"
}

// Watch has the metrics show how the objects of a store stand.
func (m *Metrics) Watch(s *desiredstate.Store) { m.reg.MustRegister(stored{s}) }

// stored collects from a store when it is asked.
type stored struct{ *desiredstate.Store }

var (
	objects    = prometheus.NewDesc("vppkit_objects", "Objects that are wanted in VPP, or have not gone yet.", []string{"space", "state"}, nil)
	converged  = prometheus.NewDesc("vppkit_converged", "1 if VPP has all that is wanted, and nothing else.", nil, nil)
	heldNumber = prometheus.NewDesc("vppkit_held_back_objects", "Objects that are not removed until somebody confirms it.", nil, nil)
)

// Describe is of a prometheus.Collector.
func (s stored) Describe(to chan<- *prometheus.Desc) {
	to <- objects
	to <- converged
	to <- heldNumber
}

// Collect is of a prometheus.Collector.
func (s stored) Collect(to chan<- prometheus.Metric) {
	type of struct{ space, state string }
	count := map[of]int{}
	for k, st := range s.Statuses() {
		state := string(st.State)
		if st.Leaving {
			state = "leaving"
		}
		count[of{k.Space, state}]++
	}
	for x, n := range count {
		to <- prometheus.MustNewConstMetric(objects, prometheus.GaugeValue, float64(n), x.space, x.state)
	}
	_, ok := s.Converged()
	to <- prometheus.MustNewConstMetric(converged, prometheus.GaugeValue, boolean(ok))
	held, _ := s.Held()
	to <- prometheus.MustNewConstMetric(heldNumber, prometheus.GaugeValue, float64(len(held.Keys)))
}
