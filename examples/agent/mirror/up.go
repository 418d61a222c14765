// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	v2 "go.etcd.io/etcd/client/v2"
	v3 "go.etcd.io/etcd/client/v3"
)

// goesUp is what agents say.
var goesUp = []span{below(Root + "/state/"), below(Root + "/state_taas/")}

func upward(key string) bool { return host(key) != "" }

// climb is a session of the way up.
type climb struct {
	*Mirror
	at       place
	index    uint64              // of the last write to the etcd v2
	seen     int64               // the newest revision of the etcd v3 that was heard of
	hosts    map[string]bool     // whose state comes from here
	lives    map[string]*lives   // keys that go with their lease
	beat     time.Time           // when these are to stand for longer
	doubtful map[string]*v2.Node // that may have been written, and not noted
	view     *view               // nil: nobody is looking
	said     map[string]bool     // keys that the etcd v2 cannot have
}

// view is what lay in both etcds. As with a look, what is touched by events until its own
// comes is not amiss.
type view struct {
	files    map[string]*v2.Node
	have     map[string]*stands
	revision int64 // of have
	until    int64
	touched  map[string]bool
}

// up lasts until something fails.
//
// The etcd v2 has no transactions, so a mirror that died may have written and not noted it:
// at most one write of each key, as the place is noted before a key is written again.
// Who comes after it tells by the index at which the key was modified.
func (m *Mirror) up(ctx context.Context, reached func()) error {
	at, err := m.place(ctx, "up")
	if err != nil {
		return err
	}
	c := &climb{Mirror: m, at: at, index: at.Index, hosts: map[string]bool{}, lives: map[string]*lives{}, said: map[string]bool{}}
	mark, index, err := m.mark(ctx)
	if err != nil {
		return err
	}
	if err := c.look(ctx); err != nil {
		return err
	}
	if at.Etcd != mark || at.Index > index || at.Revision > c.view.revision {
		c.at, c.index = place{Etcd: mark, key: at.key, mod: at.mod}, index // all is compared
	} else if !at.Doubt {
		c.doubtful = map[string]*v2.Node{}
		for key, n := range c.view.files {
			if n.ModifiedIndex > at.Index && n.TTL == 0 {
				c.doubtful[key] = n
			}
		}
	}
	forgotten, err := c.forgotten(ctx)
	if err == nil && forgotten {
		have, since := c.view.have, c.at.Revision
		err = c.compare(ctx, func(key string) bool { return have[key].written > since }, c.view.revision)
		c.doubtful = nil
	}
	if err != nil {
		return err
	}
	reached()
	return c.follow(ctx)
}

// look begins to look for what is amiss.
func (c *climb) look(ctx context.Context) (err error) {
	v := &view{touched: map[string]bool{}}
	if v.files, _, err = c.tree(ctx); err != nil {
		return err
	}
	if v.have, v.revision, err = c.stand(ctx, 0, goesUp...); err != nil {
		return err
	}
	if err := c.own(ctx, v.have); err != nil {
		return err
	}
	clear(c.lives)
	for key, s := range v.have {
		if s.lease != 0 {
			c.lives[key] = &lives{s.value, s.lease}
		}
	}
	ctx, cancel := deadline(ctx)
	defer cancel()
	r, err := c.V3.Put(ctx, looked, "")
	if err != nil {
		return fmt.Errorf("etcd v3: %w", err)
	}
	v.until = r.Header.Revision
	c.view, c.seen = v, max(c.seen, v.until)
	return nil
}

// looked is written in both etcds by who looks.
const looked = Root + "/mirror/looked"

// forgotten says whether the etcd v3 does not tell any more what came after the place.
func (c *climb) forgotten(ctx context.Context) (bool, error) {
	if c.at.Revision == 0 {
		return true, nil
	}
	ctx, cancel := deadline(ctx)
	defer cancel()
	_, err := c.V3.Get(ctx, c.at.key, v3.WithRev(c.at.Revision+1), v3.WithCountOnly())
	if errors.Is(err, rpctypes.ErrCompacted) {
		return true, nil
	}
	if err != nil && !errors.Is(err, rpctypes.ErrFutureRev) {
		return false, fmt.Errorf("etcd v3: %w", err)
	}
	return false, nil
}

// own notes that what the etcd v2 has of these hosts is from here: of others, which have
// another agent, nothing is touched.
func (c *climb) own(ctx context.Context, have map[string]*stands) error {
	prefix := Root + "/mirror/hosts/"
	known, _, err := c.stand(ctx, 0, below(prefix))
	if err != nil {
		return err
	}
	for key := range known {
		c.hosts[strings.TrimPrefix(key, prefix)] = true
	}
	for key := range have {
		if err := c.meet(ctx, host(key)); err != nil {
			return err
		}
	}
	return nil
}

func (c *climb) meet(ctx context.Context, host string) error {
	if c.hosts[host] {
		return nil
	}
	c.hosts[host] = true
	ctx, cancel := deadline(ctx)
	defer cancel()
	if _, err := c.V3.Put(ctx, Root+"/mirror/hosts/"+host, ""); err != nil {
		return fmt.Errorf("etcd v3: %w", err)
	}
	return nil
}

// compare makes the etcd v2 hold what the v3 did, but for what was touched since; again
// says of what else it is to be written. All that came up to this revision is done then.
func (c *climb) compare(ctx context.Context, again func(key string) bool, revision int64) error {
	v := c.view
	c.view = nil
	var todo, gone []string
	for key, s := range v.have {
		n := v.files[key]
		same := n != nil && n.Value == s.value && (n.TTL > 0) == (s.lease != 0)
		if !v.touched[key] && (!same || again(key)) {
			todo = append(todo, key)
		}
	}
	for key := range v.files {
		if upward(key) && v.have[key] == nil && !v.touched[key] && c.hosts[host(key)] {
			gone = append(gone, key)
		}
	}
	slices.SortFunc(todo, func(a, b string) int { return cmp.Compare(v.have[a].written, v.have[b].written) })
	slices.Sort(gone)
	to := c.at
	if to.Doubt = true; len(todo)+len(gone) > 0 {
		if err := c.move(ctx, &c.at, to); err != nil {
			return err
		}
	}
	for _, key := range gone {
		if err := c.tick(ctx); err != nil {
			return err
		}
		if err := c.remove(ctx, key); err != nil {
			return err
		}
	}
	for _, key := range todo {
		if err := c.tick(ctx); err != nil {
			return err
		}
		if err := c.write(ctx, key, v.have[key].value, v.have[key].lease); err != nil {
			return err
		}
	}
	return c.note(ctx, revision)
}

// note says that all up to a revision is done.
func (c *climb) note(ctx context.Context, revision int64) error {
	to := c.at
	to.Revision, to.Index, to.Doubt = max(to.Revision, revision), max(to.Index, c.index), false
	return c.move(ctx, &c.at, to)
}

// follow writes what is written from now on.
func (c *climb) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(v3.WithRequireLeader(ctx))
	defer cancel()
	events := c.V3.Watch(ctx, Root+"/", v3.WithPrefix(), v3.WithRev(c.at.Revision+1))
	again := time.NewTicker(c.resync())
	defer again.Stop()
	probe := time.NewTicker(quiet)
	defer probe.Stop()
	for {
		select {
		case <-probe.C:
			if mark, index, err := c.mark(ctx); err != nil || mark != c.at.Etcd || index < c.index {
				return err
			}
			if err := c.still(ctx, c.at, c.seen); err != nil {
				return err
			}
		case <-again.C:
			if err := c.look(ctx); err != nil {
				return err
			}
		case <-time.After(time.Until(c.beat)):
			if err := c.tick(ctx); err != nil {
				return err
			}
		case r, ok := <-events:
			err := r.Err()
			switch {
			case !ok && err == nil:
				err = errors.New("watch ended")
				fallthrough
			case err != nil:
				return fmt.Errorf("etcd v3: %w", err)
			}
			c.seen = max(c.seen, r.Header.Revision)
			if err := c.take(ctx, r.Events); err != nil {
				return err
			}
		}
	}
}

// take writes what a watch tells of.
func (c *climb) take(ctx context.Context, events []*v3.Event) error {
	fresh := map[string]bool{}
	last := c.at.Revision
	for _, e := range events {
		key, at := string(e.Kv.Key), e.Kv.ModRevision
		if key == looked && c.view != nil && at >= c.view.until {
			err := error(nil)
			if len(fresh) > 0 {
				err = c.note(ctx, last)
			}
			if err == nil {
				err = c.compare(ctx, func(string) bool { return false }, at)
			}
			if err != nil {
				return err
			}
			clear(fresh)
			continue
		}
		if !upward(key) {
			continue
		}
		if fresh[key] && at > last { // before it is written again; a transaction writes a key once
			if err := c.note(ctx, last); err != nil {
				return err
			}
			clear(fresh)
		}
		last, fresh[key] = at, true
		if c.view != nil {
			c.view.touched[key] = true
		}
		if err := c.carry(ctx, e); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return c.note(ctx, last)
}

// carry writes what an event says.
func (c *climb) carry(ctx context.Context, e *v3.Event) error {
	if err := c.tick(ctx); err != nil {
		return err
	}
	key := string(e.Kv.Key)
	doubtful := c.doubtful[key]
	delete(c.doubtful, key)
	delete(c.lives, key)
	if e.Type == v3.EventTypeDelete {
		return c.remove(ctx, key)
	}
	if err := c.meet(ctx, host(key)); err != nil {
		return err
	}
	value, lease := string(e.Kv.Value), v3.LeaseID(e.Kv.Lease)
	if lease != 0 {
		c.lives[key] = &lives{value, lease}
	} else if doubtful != nil && doubtful.Value == value { // it was written, and not noted
		c.index = max(c.index, doubtful.ModifiedIndex)
		return nil
	}
	return c.write(ctx, key, value, lease)
}

// write writes a key of the etcd v2.
func (c *climb) write(ctx context.Context, key, value string, lease v3.LeaseID) error {
	ttl, err := c.left(ctx, lease)
	if err != nil || ttl < 0 {
		return err // if it is over, its key goes
	}
	c.standing(ttl)
	return c.done(key, func() (*v2.Response, error) {
		ctx, cancel := deadline(ctx)
		defer cancel()
		return c.V2.Set(ctx, key, value, &v2.SetOptions{TTL: ttl})
	})
}

func (c *climb) remove(ctx context.Context, key string) error {
	return c.done(key, func() (*v2.Response, error) {
		ctx, cancel := deadline(ctx)
		defer cancel()
		r, err := c.V2.Delete(ctx, key, nil)
		if v2.IsKeyNotFound(err) {
			return nil, nil
		}
		return r, err
	})
}

// done notes a write. A key that the etcd v2 cannot have, or does not show, is left out:
// it has directories, no key is one and holds others.
func (c *climb) done(key string, write func() (*v2.Response, error)) error {
	why := error(nil)
	if path.Clean(key) != key || strings.Contains(key, "/_") {
		why = errors.New("it is no path, or hidden")
	} else {
		r, err := write()
		switch {
		case err == nil && r != nil:
			c.index = max(c.index, r.Node.ModifiedIndex)
			return nil
		case err == nil:
			return nil
		case !isCode(err, v2.ErrorCodeNotFile, v2.ErrorCodeNotDir, v2.ErrorCodeRootROnly):
			return fmt.Errorf("etcd v2: %w", err)
		}
		why = err
	}
	if !c.said[key] {
		c.said[key] = true
		c.Log.Error("the etcd v2 cannot have this key", "key", key, "err", why)
	}
	return nil
}
