// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"maps"
	"sync"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// inbox turns the keys of a host into wants, one source for each key, and
// remembers what is wrong with which. A key that is wrong wants nothing: what
// an earlier value of it had brought up is taken down, because nobody can tell
// any more that it may be up.
type inbox struct {
	site  translate.Site
	store *desiredstate.Store
	log   *slog.Logger
	moved func(name string) // told which key means something else now

	mu     sync.Mutex
	ports  map[string]translate.Port
	wrong  map[string]error
	loaded bool
}

func newInbox(site translate.Site, store *desiredstate.Store, log *slog.Logger) *inbox {
	return &inbox{
		site: site, store: store, log: log, moved: func(string) {},
		ports: map[string]translate.Port{}, wrong: map[string]error{},
	}
}

// source names what wants the objects of a port.
func source(name string) string { return "port/" + name }

// uplink names what wants the interface of a physical network up.
func uplink(physnet string) string { return "physnet/" + physnet }

// all takes the whole of what is wanted. Ports that are not in it were perhaps
// deleted unseen, or their etcd lost them: the engine's limit on removals is
// for them.
func (b *inbox) all(values map[string][]byte) {
	wants := map[string][]desiredstate.Object{}
	for physnet := range b.site.Physnets {
		wants[uplink(physnet)] = b.site.UplinkObjects(physnet)
	}
	ports, wrong := map[string]translate.Port{}, map[string]error{}
	for name, value := range values {
		if p, err := b.site.Port(name, value); err != nil {
			wrong[name] = err
		} else {
			ports[name], wants[source(name)] = p, p.Objects()
		}
	}
	if err := b.store.Replace(wants); err != nil {
		b.log.Error("conflicting wants", "err", err)
	}
	b.store.Complete()

	b.mu.Lock()
	old, was := b.ports, b.wrong
	b.ports, b.wrong, b.loaded = ports, wrong, true
	b.mu.Unlock()
	for name, err := range wrong {
		if was[name] == nil || was[name].Error() != err.Error() {
			b.complain(name, err)
		}
	}
	names := maps.Clone(values)
	for name := range old {
		names[name] = nil
	}
	for name := range was {
		names[name] = nil
	}
	for name := range names {
		b.moved(name)
	}
}

// put takes the new value of one key.
func (b *inbox) put(name string, value []byte) {
	p, err := b.site.Port(name, value)
	if err == nil {
		err = b.store.Assign(source(name), p.Objects()...)
	}
	b.mu.Lock()
	if err == nil {
		b.ports[name] = p
		delete(b.wrong, name)
	} else {
		b.wrong[name] = err
		delete(b.ports, name)
	}
	b.mu.Unlock()
	if err != nil {
		b.complain(name, err)
		_ = b.store.Assign(source(name)) // to want nothing conflicts with nothing
	}
	b.moved(name)
}

// deleted takes note of a key that is gone.
func (b *inbox) deleted(name string) {
	b.mu.Lock()
	delete(b.ports, name)
	delete(b.wrong, name)
	b.mu.Unlock()
	_ = b.store.Assign(source(name)) // to want nothing conflicts with nothing
	b.moved(name)
}

func (b *inbox) complain(name string, err error) {
	b.log.Warn("key is not served", "key", fmt.Sprintf("%.80q", name), "err", err)
}

// look says what the key with this name means.
func (b *inbox) look(name string) (p translate.Port, known bool, wrong error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, known = b.ports[name]
	return p, known, b.wrong[name]
}

// listed says whether there has been a list of all keys.
func (b *inbox) listed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loaded
}

// names lists all keys, and says whether there has been a list of them.
func (b *inbox) names() ([]string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for name := range b.ports {
		out = append(out, name)
	}
	for name := range b.wrong {
		out = append(out, name)
	}
	return out, b.loaded
}
