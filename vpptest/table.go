// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
)

// Messages of memclnt have fixed ids, the same in every VPP, in this order from 1 on.
var memclntIDs = []api.Message{
	&memclnt.MemclntCreate{}, &memclnt.MemclntCreateReply{},
	&memclnt.MemclntDelete{}, &memclnt.MemclntDeleteReply{},
	&memclnt.RxThreadExit{}, &memclnt.MemclntRxThreadSuspend{}, &memclnt.MemclntReadTimeout{},
	&memclnt.RPCCall{}, &memclnt.RPCCallReply{},
	&memclnt.GetFirstMsgID{}, &memclnt.GetFirstMsgIDReply{},
	&memclnt.APIVersions{}, &memclnt.APIVersionsReply{},
	&memclnt.TracePluginMsgIds{},
	&memclnt.SockclntCreate{}, &memclnt.SockclntCreateReply{},
	&memclnt.SockclntDelete{}, &memclnt.SockclntDeleteReply{},
	&memclnt.SockInitShm{}, &memclnt.SockInitShmReply{},
	&memclnt.MemclntKeepalive{}, &memclnt.MemclntKeepaliveReply{},
	&memclnt.ControlPing{}, &memclnt.ControlPingReply{},
	&memclnt.MemclntCreateV2{}, &memclnt.MemclntCreateV2Reply{},
	&memclnt.GetAPIJSON{}, &memclnt.GetAPIJSONReply{},
}

// ID of the one message that must be known before there is a table.
const sockclntCreateID = 15

// crcName is what VPP calls a message in its table.
func crcName(m api.Message) string { return m.GetMessageName() + "_" + m.GetCrcString() }

// A module is one package of bindings, as VPP knows one .api file.
type module struct {
	pkg      string        // import path
	messages []api.Message // in order of name
}

// name is the module's in VPP: the last element of its import path.
func (m module) name() string { return m.pkg[strings.LastIndexByte(m.pkg, '/')+1:] }

func moduleOf(m api.Message) string { return reflect.TypeOf(m).Elem().PkgPath() }

// modules holds all bindings linked into this program. Bindings register in init
// functions only, so they are complete when this is first asked.
var modules = sync.OnceValue(func() map[string]module {
	all := make(map[string]module)
	for _, messages := range api.GetRegisteredMessages() {
		for _, m := range messages {
			pkg := moduleOf(m)
			mod := all[pkg]
			mod.pkg = pkg
			mod.messages = append(mod.messages, m)
			all[pkg] = mod
		}
	}
	for _, mod := range all {
		slices.SortFunc(mod.messages, func(a, b api.Message) int { return strings.Compare(crcName(a), crcName(b)) })
	}
	return all
})

// A table numbers messages. Ids are good for one life of VPP only.
type table struct {
	ids     map[string]uint16 // by name_crc
	entries map[uint16]entry
	bases   map[string]uint16 // first id by module name
	added   map[string]bool   // by import path
	next    uint16
	options *options // say of which release
}

type entry struct {
	name string // without CRC
	crc  string
}

// newTable starts with memclnt. The ids of all that is added later begin at random,
// so that no client gets away with remembering them.
func newTable(o *options) *table {
	t := &table{
		ids:     make(map[string]uint16),
		entries: make(map[uint16]entry),
		bases:   make(map[string]uint16),
		added:   map[string]bool{moduleOf(&memclnt.ControlPing{}): true},
		next:    1,
		options: o,
	}
	for _, m := range memclntIDs {
		t.number(crcName(m))
	}
	t.next += uint16(rand.IntN(1000))
	return t
}

func (t *table) number(full string) {
	if _, ok := t.ids[full]; ok {
		return
	}
	name, crc := cutCRC(full)
	t.ids[full] = t.next
	t.entries[t.next] = entry{name, crc}
	t.next++
}

// add numbers all messages of a module; twice is once.
func (t *table) add(pkg string) {
	if t.added[pkg] {
		return
	}
	t.added[pkg] = true
	mod := modules()[pkg]
	t.bases[mod.name()] = t.next
	if names, ok := t.options.messages(mod.name()); ok {
		for _, full := range names {
			t.number(full)
		}
	} else {
		for _, m := range mod.messages {
			t.number(crcName(m))
		}
	}
	t.next += uint16(rand.IntN(50))
}

// first is the base of a module asked for as "name_crc", the CRC being that of its
// .api file, which bindings do not carry: any will do.
func (t *table) first(module string) (uint16, bool) {
	name, crc := cutCRC(module)
	if _, err := hex.DecodeString(crc); err != nil || len(crc) != 8 {
		return 0, false
	}
	base, ok := t.bases[name]
	return base, ok
}

func cutCRC(name string) (string, string) {
	if i := strings.LastIndexByte(name, '_'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// wire is the table as sockclnt_create_reply carries it.
func (t *table) wire() []memclnt.MessageTableEntry {
	out := make([]memclnt.MessageTableEntry, 0, len(t.ids))
	for name, id := range t.ids {
		out = append(out, memclnt.MessageTableEntry{Index: id, Name: name})
	}
	return out
}
