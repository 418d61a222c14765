// SPDX-License-Identifier: Apache-2.0

// Package await is for those who write keys of hosts: it waits until an agent has made them so.
package await

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// Converged waits until each key of a host that was written at a revision of etcd, or
// before, is in its VPP, or has an error below state/<host>/errors/. The revision is that of
// the answer to the last write that changed something: a delete of nothing has none of its own. Its error is that of ctx, with how far the host is.
func Converged(ctx context.Context, c *clientv3.Client, host string, revision int64) error {
	key := translate.Site{Host: host}.State() + "converged"
	far := int64(0)
	for {
		got, err := c.Get(ctx, key)
		if err != nil {
			return fail(ctx, err, host, revision, far)
		}
		for _, kv := range got.Kvs {
			far = read(kv.Value)
		}
		if far >= revision {
			return nil
		}
		if done := watch(ctx, c, key, got.Header.Revision+1, revision, &far); done {
			return nil
		}
		if ctx.Err() != nil {
			return fail(ctx, ctx.Err(), host, revision, far)
		}
	}
}

// watch waits for what is written from a revision on; false: it has to be looked at again.
func watch(ctx context.Context, c *clientv3.Client, key string, from, revision int64, far *int64) (done bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for w := range c.Watch(clientv3.WithRequireLeader(ctx), key, clientv3.WithRev(from)) {
		for _, e := range w.Events {
			if *far = read(e.Kv.Value); *far >= revision {
				return true
			}
		}
	}
	return false
}

func read(value []byte) int64 {
	var says struct {
		Revision int64 `json:"revision"`
	}
	_ = json.Unmarshal(value, &says) // what says nothing is no revision
	return says.Revision
}

func fail(ctx context.Context, err error, host string, revision, far int64) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err)
	}
	return fmt.Errorf("host %s has converged up to revision %d, not %d: %w", host, far, revision, err)
}
