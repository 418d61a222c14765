// SPDX-License-Identifier: Apache-2.0

package vppstat

import "go.fd.io/govpp/adapter"

// segment is what was read of VPP's, by VPP's names.
type segment map[string]adapter.Stat

// simple adds up what VPP's threads counted at an index.
func (s segment) simple(name string, index uint32) (sum uint64) {
	threads, _ := s[name].(adapter.SimpleCounterStat)
	for _, counters := range threads {
		if int(index) < len(counters) {
			sum += uint64(counters[index])
		}
	}
	return sum
}

// total adds up what VPP's threads counted at all indexes.
func (s segment) total(name string) (sum uint64) {
	switch all := s[name].(type) {
	case adapter.SimpleCounterStat:
		for _, counters := range all {
			for _, c := range counters {
				sum += uint64(c)
			}
		}
	case adapter.ErrorStat:
		for _, c := range all {
			sum += uint64(c)
		}
	}
	return sum
}

// count adds up packets and bytes that VPP's threads counted at an index.
func (s segment) count(name string, index uint32) (sum Count) {
	threads, _ := s[name].(adapter.CombinedCounterStat)
	for _, counters := range threads {
		if int(index) < len(counters) {
			sum.Packets += counters[index].Packets()
			sum.Bytes += counters[index].Bytes()
		}
	}
	return sum
}

// length is how many indexes there are.
func (s segment) length(name string) (n int) {
	threads, _ := s[name].(adapter.CombinedCounterStat)
	for _, counters := range threads {
		n = max(n, len(counters))
	}
	return n
}
