// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// bound is what an etcd says of the ports that are bound: the revision at which it
// was last said, by port.
type bound struct {
	mu     sync.Mutex
	ports  map[string]int64
	moved  chan struct{} // closed when that changes
	cancel context.CancelFunc
	done   chan struct{}
}

func watchBound(c *clientv3.Client, prefix string) *bound {
	ctx, cancel := context.WithCancel(context.Background())
	b := &bound{ports: map[string]int64{}, moved: make(chan struct{}), cancel: cancel, done: make(chan struct{})}
	changes := c.Watch(clientv3.WithRequireLeader(ctx), prefix, clientv3.WithPrefix(), clientv3.WithRev(1))
	go func() {
		defer close(b.done)
		for r := range changes {
			b.mu.Lock()
			for _, e := range r.Events {
				port := strings.TrimPrefix(string(e.Kv.Key), prefix)
				if e.Type == clientv3.EventTypeDelete {
					delete(b.ports, port)
				} else {
					b.ports[port] = e.Kv.ModRevision
				}
			}
			close(b.moved)
			b.moved = make(chan struct{})
			b.mu.Unlock()
		}
	}()
	return b
}

// wait waits until enough is said, or the agent has ended.
func (b *bound) wait(ctx context.Context, p *process, enough func(map[string]int64) bool) error {
	for {
		b.mu.Lock()
		ok, n, moved := enough(b.ports), len(b.ports), b.moved
		b.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-moved:
		case <-p.dead:
			return p.epitaph()
		case <-ctx.Done():
			return fmt.Errorf("%d ports are bound: %w", n, ctx.Err())
		}
	}
}

func (b *bound) close() {
	b.cancel()
	<-b.done
}
