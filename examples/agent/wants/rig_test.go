// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// box is an inbox with the etcd that it follows.
type box struct {
	*testing.T
	*Inbox
	store *desiredstate.Store
	etcd  map[string]string
	asked []follow.Range // that nobody has listed yet
}

var node = translate.Site{Host: "h1", Physnets: map[string]string{"p1": "GigabitEthernet0/8/0"}, Dir: "/run/vms"}

// newBox is an inbox of a site, which has heard that nothing lies in etcd.
func newBox(t *testing.T, site translate.Site) *box {
	b := emptyBox(t, site, map[string]string{})
	b.Settled(true)
	return b
}

// emptyBox is an inbox that has not heard anything.
func emptyBox(t *testing.T, site translate.Site, etcd map[string]string) *box {
	b := &box{T: t, store: desiredstate.NewStore(), etcd: etcd}
	b.Inbox = New(site, b.store, slog.New(slog.DiscardHandler))
	b.Follow = func(r follow.Range) { b.asked = append(b.asked, r) }
	return b
}

// put writes a key and tells of it; "": it goes.
func (b *box) put(key, value string) {
	if b.etcd[key] = value; value == "" {
		delete(b.etcd, key)
	}
	b.Put(key, []byte(value), value != "")
}

// list tells of all that the inbox asked for.
func (b *box) list() {
	for len(b.asked) > 0 {
		r := b.asked[0]
		b.asked = b.asked[1:]
		b.Listed(r, b.in(r))
	}
}

func (b *box) in(r follow.Range) map[string][]byte {
	out := map[string][]byte{}
	for key, value := range b.etcd {
		if r.Has(key) {
			out[key] = []byte(value)
		}
	}
	return out
}

// settle ends a burst.
func (b *box) settle() {
	b.list()
	b.Settled(false)
}

// restarted is the inbox of an agent that comes after this one, to the VPP that has what this one wanted.
func (b *box) restarted() *box {
	found := []desiredstate.Found{}
	for key := range b.store.Statuses() {
		if o, wanted := b.store.Want(key); wanted {
			found = append(found, desiredstate.Found{Key: key, Spec: o})
		}
	}
	next := emptyBox(b.T, b.Site, b.etcd)
	next.Room = b.Room
	next.Recall(found)
	next.root()
	return next
}

// root tells of all keys of the host, and of what these need.
func (b *box) root() {
	root := follow.Range(b.Site.Keys())
	b.Listed(root, b.in(root))
	b.list()
	b.Settled(true)
	b.settle()
}

func uid(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", n) }

// portIn is a port of a VLAN, in these groups; without any it is not filtered.
func portIn(n, vlan int, groups ...string) string {
	return fmt.Sprintf(`{"mac_address":"fa:16:3e:00:00:%02x","physnet":"p1","network_type":"vlan","segmentation_id":%d,`+
		`"binding_type":"vhostuser","port_security_enabled":%v,"security_groups":["%s"]}`, n, vlan, groups != nil, strings.Join(groups, `","`))
}
