// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vppkit/vppkit/desiredstate"
)

// counted are metrics of the agent itself, beside those of package observe. OPERATIONS.md lists all of them.
type counted struct{ *agent }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("vppkit_agent_"+name, help, labels, nil)
}

var (
	portsDesc     = desc("ports", "Keys of ports, by how they stand.", "state")
	routersDesc   = desc("routers", "Keys of routers and floating IPs, by how they stand.", "state")
	boundDesc     = desc("ports_bound", "Ports that are said to be bound.")
	asideDesc     = desc("quarantined_objects", "Objects that are left out because VPP dies of them.")
	conditionDesc = desc("condition", "1 for each thing that is amiss with the host as a whole.", "name")
	upDesc        = desc("etcd_up", "1 if etcd is heard.")
	revisionDesc  = desc("etcd_revision", "The revision of etcd up to which all keys of the host are known.")
	appliedDesc   = desc("converged_revision", "The revision of etcd up to which each key of the host is in VPP, or reported wrong.")
	lagDesc       = desc("lag_seconds", "How long VPP has not been as etcd says, as far as anybody knows; 0 if it is.")
	buildDesc     = desc("build_info", "Which agent this is.", "version", "revision", "goversion")
)

// Describe is of a prometheus.Collector.
func (c counted) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		portsDesc, routersDesc, boundDesc, asideDesc, conditionDesc, upDesc, revisionDesc, appliedDesc, lagDesc, buildDesc,
	} {
		to <- d
	}
}

// Collect is of a prometheus.Collector.
func (c counted) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	for d, lines := range map[*prometheus.Desc][]PortLine{portsDesc: c.portLines(), routersDesc: routeLines(c.inbox)} {
		count := map[desiredstate.State]int{}
		for _, line := range lines {
			count[line.State]++
		}
		for state, n := range count {
			gauge(d, float64(n), string(state))
		}
	}
	gauge(boundDesc, float64(c.board.Count("ports/")))
	gauge(asideDesc, float64(len(c.deadly.names())))
	for name := range c.amiss() {
		gauge(conditionDesc, 1, name)
	}
	up := 0.0
	if c.etcdLost.Load() == nil {
		up = 1
	}
	gauge(upDesc, up)
	gauge(revisionDesc, float64(c.announcer.convergence.reached.Load()))
	gauge(appliedDesc, float64(c.announcer.convergence.told.Load()))
	gauge(lagDesc, c.lag().Seconds())
	v := thisVersion()
	gauge(buildDesc, 1, v.Version, v.Revision, v.Go)
}

// lag is how long VPP has not been as etcd says, or nobody knows it.
func (a *agent) lag() time.Duration {
	if _, ok := a.store.Converged(); ok && a.etcdLost.Load() == nil && a.connected.Load() != nil {
		a.behind.Store(0)
		return 0
	}
	now := time.Now().UnixNano()
	a.behind.CompareAndSwap(0, now)
	since := a.behind.Load()
	if since == 0 { // somebody saw just now that it is so
		return 0
	}
	return time.Duration(now - since)
}
