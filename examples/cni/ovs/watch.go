// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
)

// listen has ovsdb-server tell what ovs-vswitchd says of itself.
func (c *Conn) listen(ctx context.Context) error {
	told := func(table string, m model.Model) {
		if r, ok := m.(*rootRow); ok && table == rootTable {
			c.hear(*r)
			return
		}
		c.changed()
	}
	c.db.Cache().AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    told,
		UpdateFunc: func(table string, _, now model.Model) { told(table, now) },
		DeleteFunc: func(string, model.Model) { c.changed() },
	})
	return within(ctx, func() error {
		_, err := c.db.Monitor(ctx, c.db.NewMonitor(client.WithTable(&rootRow{})))
		return err
	})
}

// Watch tells that something of bridges, ports or interfaces has changed, by us or by anybody
// else, until ctx ends or the Conn dies; then the channel is closed. It does not say what:
// read it. What comes close together is told once. What is there already is told too.
//
//	for range changes { // beside engine.Run
//		engine.Forget()
//	}
func (c *Conn) Watch(ctx context.Context) (<-chan struct{}, error) {
	events := make(chan struct{}, 1)
	c.mu.Lock()
	c.watchers[events] = struct{}{}
	first := !c.watching
	c.watching = true
	c.mu.Unlock()
	out := make(chan struct{})
	if first {
		monitor := c.db.NewMonitor(client.WithTable(&bridgeRow{}), client.WithTable(&portRow{}), client.WithTable(&interfaceRow{}))
		err := within(ctx, func() error { _, err := c.db.Monitor(ctx, monitor); return err })
		if err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.watching = false
			delete(c.watchers, events)
			return nil, &Error{What: "watch", Err: err}
		}
	}
	go func() {
		defer close(out)
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.watchers, events)
		}()
		for {
			select {
			case <-events:
			case <-ctx.Done():
				return
			case <-c.Done():
				return
			}
			select {
			case out <- struct{}{}:
			case <-ctx.Done():
				return
			case <-c.Done():
				return
			}
		}
	}()
	return out, nil
}

// changed tells all watchers.
func (c *Conn) changed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.watchers {
		select {
		case w <- struct{}{}:
		default: // it will be told
		}
	}
}
