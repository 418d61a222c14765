// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// said is what an agent says of a host in etcd.
type said struct {
	mu     sync.Mutex
	ports  map[string]int64 // that are bound: the revision at which it was last said
	upTo   int64            // all that etcd had at this revision is as wanted
	moved  chan struct{}    // closed when that changes
	cancel context.CancelFunc
	done   chan struct{}
}

// hear follows what is said below a prefix.
func hear(c *clientv3.Client, prefix string) *said {
	ctx, cancel := context.WithCancel(context.Background())
	s := &said{ports: map[string]int64{}, moved: make(chan struct{}), cancel: cancel, done: make(chan struct{})}
	changes := c.Watch(clientv3.WithRequireLeader(ctx), prefix, clientv3.WithPrefix(), clientv3.WithRev(1))
	go func() {
		defer close(s.done)
		for r := range changes {
			s.mu.Lock()
			for _, e := range r.Events {
				s.take(strings.TrimPrefix(string(e.Kv.Key), prefix), e)
			}
			close(s.moved)
			s.moved = make(chan struct{})
			s.mu.Unlock()
		}
	}()
	return s
}

// take notes one change. The lock is held.
func (s *said) take(key string, e *clientv3.Event) {
	port, is := strings.CutPrefix(key, "ports/")
	switch {
	case is && e.Type == clientv3.EventTypeDelete:
		delete(s.ports, port)
	case is:
		s.ports[port] = e.Kv.ModRevision
	case key == "converged" && e.Type == clientv3.EventTypePut:
		var at struct{ Revision int64 }
		if json.Unmarshal(e.Kv.Value, &at) == nil {
			s.upTo = at.Revision
		}
	}
}

// wait waits until enough is said, or the agent has ended.
func (s *said) wait(ctx context.Context, p *process, enough func(ports map[string]int64, upTo int64) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		s.mu.Lock()
		ok, n, upTo, moved := enough(s.ports, s.upTo), len(s.ports), s.upTo, s.moved
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-moved:
		case <-p.dead:
			return p.epitaph()
		case <-ctx.Done():
			return fmt.Errorf("%d ports are bound, and all is as wanted up to revision %d: %w", n, upTo, ctx.Err())
		}
	}
}

func (s *said) close() {
	s.cancel()
	<-s.done
}
