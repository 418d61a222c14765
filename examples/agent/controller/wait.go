// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// Applied waits until the host's agent has applied, or reported as wrong, every key of the host
// as it was at a revision of etcd, such as Journal.Written returns: state/HOST/converged. The agent
// hears of what is written of its host, and answers at once. If others' writes alone made the revision,
// Applied asks after a second, by a key of the host that means nothing, nodes/HOST/asked, which is
// then deleted; who may not write there waits for what is next written of the host.
func Applied(ctx context.Context, c *clientv3.Client, host string, revision int64) error {
	key := Host(host).site().State() + "converged"
	ctx, cancel := context.WithCancel(ctx)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		ask(ctx, c, Host(host).site().Keys()+translate.Asked, revision)
	}()
	defer func() { cancel(); <-asked }()
	return await(ctx, c, key, func(kvs map[string]said) (bool, error) {
		v, ok := kvs[key]
		if !ok {
			return false, fmt.Errorf("%s: the agent of %s does not say how far it is", key, host)
		}
		var at struct {
			Revision int64 `json:"revision"`
		}
		switch err := json.Unmarshal([]byte(v.value), &at); {
		case err != nil:
			return false, fmt.Errorf("%s: %.40q is no revision", key, v.value)
		case at.Revision < revision:
			return false, fmt.Errorf("%s is at revision %d, not yet at %d", host, at.Revision, revision)
		}
		return true, nil
	})
}

// asking is how long a host is waited for before it is asked, and asked again.
const asking, askingAgain = time.Second, 10 * time.Second

// ask has an agent say how far it is, until ctx ends.
func ask(ctx context.Context, c *clientv3.Client, key string, revision int64) {
	wait := asking
	for {
		select {
		case <-ctx.Done():
			if wait != asking {
				short, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
				_, _ = c.Delete(short, key)
				cancel()
			}
			return
		case <-time.After(wait):
			wait = askingAgain
			short, cancel := context.WithTimeout(ctx, deadline)
			_, _ = c.Put(short, key, strconv.FormatInt(revision, 10))
			cancel()
		}
	}
}

// ErrWrong: the agent says that a key cannot be served as it is.
var ErrWrong = errors.New("not served")

// Bound waits until the host's agent says that a port is bound, at or after a revision of etcd.
// It fails at once, with ErrWrong, if the agent says after that revision that it cannot be.
func Bound(ctx context.Context, c *clientv3.Client, host, port string, revision int64) error {
	state := Host(host).site().State()
	bound, wrong := state+"ports/"+port, state+"errors/"+port
	return await(ctx, c, state, func(kvs map[string]said) (bool, error) {
		if v, ok := kvs[bound]; ok && v.at >= revision {
			return true, nil
		}
		if v, ok := kvs[wrong]; ok && v.at >= revision {
			return true, fmt.Errorf("%s on %s: %w: %s", port, host, ErrWrong, v.why())
		} else if ok {
			return false, fmt.Errorf("%s on %s: as before, %s", port, host, v.why())
		}
		return false, fmt.Errorf("the agent of %s has not said that %s is bound", host, port)
	})
}

// said is a value, and when it was written.
type said struct {
	value string
	at    int64
}

// why is what an agent says of what is wrong: {"error": …}.
func (s said) why() string {
	var text struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal([]byte(s.value), &text); err != nil || text.Error == "" {
		return s.value
	}
	return text.Error
}

// await follows the keys that begin so until they are as they should be; why says what they
// are not yet, or how it ended.
func await(ctx context.Context, c *clientv3.Client, prefix string, look func(map[string]said) (done bool, why error)) error {
	var last error
	for {
		done, why, err := follow(ctx, c, prefix, look)
		if done {
			return why
		}
		if why != nil {
			last = why
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last, err)
		case <-time.After(200 * time.Millisecond): // etcd ended it
		}
	}
}

func follow(ctx context.Context, c *clientv3.Client, prefix string, look func(map[string]said) (bool, error)) (done bool, why, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	short, stop := context.WithTimeout(ctx, deadline)
	r, err := c.Get(short, prefix, clientv3.WithPrefix())
	stop()
	if err != nil {
		return false, nil, fmt.Errorf("etcd: %w", err)
	}
	kvs := map[string]said{}
	for _, kv := range r.Kvs {
		kvs[string(kv.Key)] = said{string(kv.Value), kv.ModRevision}
	}
	if done, why = look(kvs); done {
		return done, why, nil
	}
	seen := r.Header.Revision
	probe := time.NewTicker(believed)
	defer probe.Stop()
	events := c.Watch(clientv3.WithRequireLeader(ctx), prefix, clientv3.WithPrefix(), clientv3.WithRev(seen+1))
	for {
		var w clientv3.WatchResponse
		var ok bool
		select {
		case w, ok = <-events:
		case <-probe.C:
			if err := beyond(ctx, c, prefix, seen); err != nil {
				return false, why, err
			}
			continue
		}
		if err := w.Err(); err != nil {
			return false, why, fmt.Errorf("etcd: %w", err)
		}
		if !ok {
			return false, why, ctx.Err()
		}
		seen = max(seen, w.Header.Revision)
		for _, e := range w.Events {
			if e.Type == clientv3.EventTypeDelete {
				delete(kvs, string(e.Kv.Key))
			} else {
				kvs[string(e.Kv.Key)] = said{string(e.Kv.Value), e.Kv.ModRevision}
			}
		}
		if done, why = look(kvs); done {
			return done, why, nil
		}
	}
}

// believed is how long a watch is believed of which nothing is heard.
const believed = 3 * time.Second

// beyond fails if etcd is not as far as it was: a watch of one that was rolled back hears nothing until it is.
func beyond(ctx context.Context, c *clientv3.Client, key string, seen int64) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	r, err := c.Get(ctx, key, clientv3.WithCountOnly())
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	if r.Header.Revision < seen {
		return errors.New("etcd was rolled back")
	}
	return nil
}
