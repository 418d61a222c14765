// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
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
	names := make([]string, len(got.Kvs))
	for i, kv := range got.Kvs {
		names[i] = strings.TrimPrefix(string(kv.Key), prefix)
	}
	a.inbox.Bequeath(names)
}
