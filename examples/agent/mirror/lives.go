// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	v2 "go.etcd.io/etcd/client/v2"
	v3 "go.etcd.io/etcd/client/v3"
)

// lives is a key that stands in the etcd v2 as long as its lease in the v3, and no longer
// than that if nobody mirrors it.
type lives struct {
	value string
	lease v3.LeaseID
}

// left is the time that the holder of a lease asked for, 0 without a lease, less if it is
// over. A lease that is alive gives all of it: so its key outlives a mirror's restart.
func (c *climb) left(ctx context.Context, lease v3.LeaseID) (time.Duration, error) {
	if lease == 0 {
		return 0, nil
	}
	ctx, cancel := deadline(ctx)
	defer cancel()
	r, err := c.V3.TimeToLive(ctx, lease)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("etcd v3: lease: %w", err)
	}
	if r.TTL <= 0 {
		return -1, nil
	}
	return time.Duration(r.GrantedTTL) * time.Second, nil
}

// standing says that a key stands for so long from now; 0: for ever.
func (c *climb) standing(ttl time.Duration) {
	if at := time.Now().Add(ttl / 3); ttl > 0 && at.Before(c.beat) {
		c.beat = at
	}
}

// tick refreshes when it is time.
func (c *climb) tick(ctx context.Context) error {
	if time.Now().Before(c.beat) {
		return nil
	}
	return c.refresh(ctx)
}

// refresh has the keys of leases that are alive stand for longer, which is no event.
func (c *climb) refresh(ctx context.Context) error {
	c.beat = time.Now().Add(time.Minute)
	for key, l := range c.lives {
		ttl, err := c.left(ctx, l.lease)
		if err != nil {
			return err
		}
		if ttl < 0 {
			continue
		}
		c.standing(ttl)
		err = c.done(key, func() (*v2.Response, error) {
			ctx, cancel := deadline(ctx)
			defer cancel()
			r, err := c.V2.Set(ctx, key, "", &v2.SetOptions{TTL: ttl, Refresh: true, PrevExist: v2.PrevExist})
			if v2.IsKeyNotFound(err) { // whoever took it away
				r, err = c.V2.Set(ctx, key, l.value, &v2.SetOptions{TTL: ttl})
			}
			return r, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
