// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
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
	return c.monitor(ctx, client.WithTable(&rootRow{}))
}

// monitor has ovsdb-server tell what changes in tables. Not by monitor_cond_since: with that,
// libovsdb cannot be told of one table while it asks for another.
func (c *Conn) monitor(ctx context.Context, tables ...client.MonitorOption) error {
	m := c.db.NewMonitor(tables...)
	m.Method = ovsdb.ConditionalMonitorRPC
	return c.call(ctx, "watch", func(context.Context) error {
		_, err := c.db.Monitor(c.dead, m) // libovsdb reads, and writes, the answer to one that is given up
		return err
	})
}

// watchTables monitors what Watch tells of, once.
func (c *Conn) watchTables(ctx context.Context) error {
	c.asking.Lock()
	defer c.asking.Unlock()
	if c.watching {
		return c.Err()
	}
	err := c.monitor(ctx, client.WithTable(&bridgeRow{}), client.WithTable(&portRow{}), client.WithTable(&interfaceRow{}))
	c.watching = err == nil
	return err
}

// Watch tells that something of bridges, ports or interfaces has changed, by us or by anybody
// else, until ctx ends or the Conn dies; then the channel is closed. It does not say what:
// read it. What comes close together is told once. It begins with telling.
//
//	for range changes { // beside engine.Run
//		engine.Forget()
//	}
func (c *Conn) Watch(ctx context.Context) (<-chan struct{}, error) {
	if err := c.watchTables(ctx); err != nil {
		return nil, err
	}
	events, out := make(chan struct{}, 1), make(chan struct{})
	events <- struct{}{}
	c.mu.Lock()
	c.watchers[events] = struct{}{}
	c.mu.Unlock()
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
