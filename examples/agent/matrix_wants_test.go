// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// want writes a port's key.
func (w *world) want(i, vlan int, filtered bool) {
	w.Helper()
	name := uuid(i)
	value := port(vlan)
	delete(w.groups, name)
	if filtered {
		w.groups[name] = []string{gid(i % 3), gid(3)}
		value = secured(vlan, fmt.Sprintf("10.0.0.%d", i+1), w.groups[name]...)
	}
	w.vlans[name], w.values[name] = vlan, value
	w.write(w.site.Ports()+name, value)
}

// texts are the groups that there are.
func texts() []string {
	some := ssh("192.0.2.0")
	return []string{some, some, some, `{"ingress_rules":[],"egress_rules":[]}`}
}

func (w *world) writeGroups() {
	for g, text := range texts() {
		w.write(translate.Groups+gid(g), text)
	}
}

// drop deletes a port's key.
func (w *world) drop(i int) {
	w.Helper()
	name := uuid(i)
	delete(w.vlans, name)
	delete(w.values, name)
	delete(w.groups, name)
	w.write(w.site.Ports()+name, "")
}

// write writes a key, or deletes it, as often as it takes until etcd has it.
func (w *world) write(key, value string) {
	w.Helper()
	require.Eventually(w, func() bool {
		ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
		defer cancel()
		if value == "" {
			r, err := w.client.Delete(ctx, key)
			if err == nil {
				w.at = r.Header.Revision
			}
			return err == nil
		}
		r, err := w.client.Put(ctx, key, value)
		if err == nil {
			w.at = r.Header.Revision
		}
		return err == nil
	}, time.Minute, 20*time.Millisecond)
}

// churn changes some of the busy ports: they come, move, get filters or lose them, and go.
func (w *world) churn(n int) {
	w.Helper()
	for range n {
		i := stillPorts + w.random.IntN(busyPorts)
		if _, there := w.vlans[uuid(i)]; there && w.random.IntN(3) == 0 {
			w.drop(i)
		} else {
			w.want(i, 100+w.random.IntN(4), w.random.IntN(2) == 0)
		}
	}
}
