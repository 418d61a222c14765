// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// bequeath tells the inbox which ports an earlier agent said are bound. One of them that has no
// key any more was deleted while nobody was there: an etcd that had lost the key would have lost that too. So it
// goes as if somebody had been there, however many they are. An etcd in which no port is left is no
// order all the same.
func (a *agent) bequeath(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	prefix := a.site.State() + "ports/"
	got, err := a.etcd.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return // then a person is asked
	}
	a.inbox.mu.Lock()
	defer a.inbox.mu.Unlock()
	for _, kv := range got.Kvs {
		a.inbox.earlier = append(a.inbox.earlier, strings.TrimPrefix(string(kv.Key), prefix))
	}
}

// inherit orders what was deleted while nobody was there.
func (b *inbox) inherit() {
	if len(b.ports) > 0 {
		for _, name := range b.earlier {
			_, here := b.ports[name]
			if _, waits := b.waiting[name]; !here && !waits && b.wrong[name] == nil {
				b.store.Delete(translate.OfPort(name)...)
			}
		}
	}
	b.earlier = nil
}
