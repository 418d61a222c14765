// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vppkit/vppkit/kinds/vppstat"
)

// collector reads a snapshot for each scrape. Names of objects are labels, so a series stays
// one whatever index VPP gives its object; a counter that begins anew is what Prometheus
// expects of one.
type collector struct {
	reader *vppstat.Reader
	limit  time.Duration // for one scrape
}

var (
	packets  = desc("vpp_interface_packets_total", "Packets by interface and direction.", "interface", "direction")
	bytes    = desc("vpp_interface_bytes_total", "Bytes by interface and direction.", "interface", "direction")
	lost     = desc("vpp_interface_lost_packets_total", "Packets that came to nothing, by interface and why.", "interface", "why")
	nat      = desc("vpp_nat_packets_total", "Packets translated by NAT44 or NAT64, or dropped, by interface.", "nat", "interface", "direction", "protocol")
	sessions = desc("vpp_nat_sessions", "Sessions of NAT44 and NAT64.", "nat")
	rules    = desc("vpp_acl_packets_total", "Packets that fitted a rule, but for those of sessions.", "set", "rule")
	police   = desc("vpp_policer_bytes_total", "Bytes by policer and what became of them.", "policer", "color")
	routes   = desc("vpp_route_packets_total", "Packets sent on by a route.", "table", "prefix")
	faults   = desc("vpp_errors_total", "VPP's error counters that are not 0.", "error")
	nodes    = desc("vpp_node_vectors_total", "Packets by node.", "node")
	up       = desc("vpp_up", "Whether VPP's counters could be read.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe lists what Collect makes.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{packets, bytes, lost, nat, sessions, rules, police, routes, faults, nodes, up} {
		out <- d
	}
}

// Collect gives what could be read, and vpp_up 0 if that is not all.
func (c collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), c.limit)
	defer cancel()
	s, err := c.reader.Snapshot(ctx)
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	if err != nil {
		gauge(up, 0)
	} else {
		gauge(up, 1)
	}
	for name, i := range s.Interfaces {
		count(packets, i.Rx.Packets, name, "rx")
		count(packets, i.Tx.Packets, name, "tx")
		count(bytes, i.Rx.Bytes, name, "rx")
		count(bytes, i.Tx.Bytes, name, "tx")
		for why, n := range map[string]uint64{
			"drop": i.Drops, "punt": i.Punts, "rx-miss": i.RxMissed, "rx-no-buffer": i.RxNoBuffer, "rx-error": i.RxErrors, "tx-error": i.TxErrors,
		} {
			count(lost, n, name, why)
		}
		for labels, n := range map[[2]string]vppstat.NAT{{"44", "out"}: i.NATOut, {"44", "in"}: i.NATIn, {"64", "out"}: i.NAT64Out, {"64", "in"}: i.NAT64In} {
			for protocol, n := range map[string]uint64{"tcp": n.TCP, "udp": n.UDP, "icmp": n.ICMP, "other": n.Other, "drop": n.Drops} {
				count(nat, n, labels[0], name, labels[1], protocol)
			}
		}
	}
	if s.Interfaces != nil {
		gauge(sessions, float64(s.Sessions), "44")
		gauge(sessions, float64(s.NAT64Sessions), "64")
	}
	for name, all := range s.Sets {
		for i, n := range all {
			count(rules, n.Packets, name, strconv.Itoa(i))
		}
	}
	for name, p := range s.Policers {
		for color, n := range map[string]vppstat.Count{"conform": p.Conform, "exceed": p.Exceed, "violate": p.Violate} {
			count(police, n.Bytes, name, color)
		}
	}
	for name, all := range s.Tables {
		for prefix, n := range all {
			count(routes, n.Packets, name, prefix.String())
		}
	}
	for name, n := range s.Errors {
		if n > 0 {
			count(faults, n, name)
		}
	}
	for name, n := range s.Nodes {
		count(nodes, n.Vectors, name)
	}
}
