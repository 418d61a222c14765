// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// live keeps Alive there until something fails. It writes only if Alive does not stand
// there already: an etcd whose disk is full takes no writes, but prolongs leases.
func (b *Board) live(ctx context.Context, well func()) error {
	at, err := b.stand(ctx)
	if err != nil {
		return err
	}
	kept, err := b.Client.KeepAlive(ctx, b.lease)
	if err != nil {
		return fmt.Errorf("etcd: lease: %w", err)
	}
	well()
	gone := b.Client.Watch(ctx, b.Prefix+b.Alive, clientv3.WithRev(at+1))
	look := time.NewTicker(b.ttl() / 6) // though no event says that it went
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, ok := <-kept:
			if !ok {
				b.lease = 0
				return errors.New("etcd: lease lost")
			}
			continue
		case w, ok := <-gone:
			if err := w.Err(); !ok || err != nil {
				return errors.Join(errors.New("etcd: watch ended"), err)
			}
		case <-look.C:
		}
		if _, err := b.stand(ctx); err != nil {
			return err
		}
	}
}

func (b *Board) ttl() time.Duration { return max(time.Second, cmp.Or(b.TTL, 3*time.Minute)) }

// stand has Alive there under a lease that lives: the one that it has, whoever got it, or
// a new one. It returns a revision at which it stood so.
func (b *Board) stand(ctx context.Context) (int64, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	key := b.Prefix + b.Alive
	got, err := b.Client.Get(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("etcd: %s: %w", b.Alive, err)
	}
	there := len(got.Kvs) > 0 && string(got.Kvs[0].Value) == "1" && got.Kvs[0].Lease != 0
	if there && b.lease == 0 {
		if k, err := b.Client.KeepAliveOnce(ctx, clientv3.LeaseID(got.Kvs[0].Lease)); err == nil && k.TTL == int64(b.ttl().Seconds()) {
			b.lease = k.ID
		}
	}
	if there && b.lease == clientv3.LeaseID(got.Kvs[0].Lease) {
		return got.Header.Revision, nil
	}
	if b.lease != 0 {
		if _, err := b.Client.KeepAliveOnce(ctx, b.lease); err != nil {
			b.lease = 0
		}
	}
	if b.lease == 0 {
		l, err := b.Client.Grant(ctx, int64(b.ttl().Seconds()))
		if err != nil {
			return 0, fmt.Errorf("etcd: lease: %w", err)
		}
		b.lease = l.ID
	}
	r, err := b.Client.Put(ctx, key, "1", clientv3.WithLease(b.lease))
	if err != nil {
		return 0, fmt.Errorf("etcd: %s: %w", b.Alive, err)
	}
	return r.Header.Revision, nil
}
