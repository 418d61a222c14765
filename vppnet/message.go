// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"errors"
	"fmt"
	"math"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
)

// table is what the connected VPP calls its messages: names and ids change
// with the set of plugins, so every connection has its own. Read-only.
type table struct {
	ids   map[string]uint16 // by name_crc
	crcs  map[string]string // by name
	names []string          // by id, as name_crc
	shape []shape           // by id
	pong  uint16            // what ends a dump
}

// shape is where an incoming message keeps its context.
type shape uint8

const (
	shapeReply shape = iota // u16 id; u32 context: the rule
	shapeLong               // u16 id; u32 client_index; u32 context: a handful of replies
	shapeEvent              // no context: u16 id; u32 client_index; u32 pid
)

func newTable(ids map[string]uint16) *table {
	t := &table{ids: ids, crcs: make(map[string]string, len(ids)), pong: math.MaxUint16}
	if id, ok := ids[nameCRC(&memclnt.ControlPingReply{})]; ok {
		t.pong = id
	}
	for key, id := range ids {
		if n := int(id) + 1; n > len(t.names) {
			t.names = slices.Grow(t.names, n-len(t.names))[:n]
		}
		t.names[id] = key
		if i := strings.LastIndexByte(key, '_'); i > 0 {
			t.crcs[key[:i]] = key[i+1:]
		}
	}
	t.shape = make([]shape, len(t.names))
	for _, tree := range api.GetRegisteredMessages() {
		for key, msg := range tree {
			id, ok := ids[key]
			if !ok {
				continue
			}
			switch msg.GetMessageType() {
			case api.RequestMessage:
				t.shape[id] = shapeLong
			case api.EventMessage:
				t.shape[id] = shapeEvent
			}
		}
	}
	return t
}

func (t *table) name(id uint16) string {
	if int(id) < len(t.names) && t.names[id] != "" {
		return t.names[id]
	}
	return fmt.Sprintf("message %d", id)
}

// id finds a message, or says why the connected VPP does not have it.
func (t *table) id(msg api.Message) (uint16, error) {
	if id, ok := t.ids[nameCRC(msg)]; ok {
		return id, nil
	}
	name, crc := msg.GetMessageName(), msg.GetCrcString()
	if has, ok := t.crcs[name]; ok {
		return 0, fmt.Errorf("%w: it has %s with CRC %s, not %s: take bindings of that release; binapi.Check says what else differs", ErrUnsupported, name, has, crc)
	}
	return 0, fmt.Errorf("%w: it lacks %s (CRC %s), of the API %s: load its plugin in startup.conf; binapi.Check says what all kinds lack",
		ErrUnsupported, name, crc, path.Base(reflect.TypeOf(msg).Elem().PkgPath()))
}

func nameCRC(msg api.Message) string { return msg.GetMessageName() + "_" + msg.GetCrcString() }

// tree is the root of the bindings that msg belongs to: the folder that holds its package.
func tree(msg api.Message) string { return path.Dir(reflect.TypeOf(msg).Elem().PkgPath()) }

// govppTree holds the bindings that generated code falls back to.
const govppTree = "go.fd.io/govpp/binapi"

// kin finds the messages that VPP sends in answer to msg, by VPP's rules of naming.
func kin(msg api.Message) []api.Message {
	name := msg.GetMessageName()
	names := []string{name + "_reply"}
	for _, verb := range []string{"_dump", "_get"} {
		if i := strings.LastIndex(name, verb); i > 0 {
			version := name[i+len(verb):] // as in gre_tunnel_dump_v2
			names = append(names, name[:i]+"_details"+version, name[:i]+"_details")
		}
	}
	all := namedIn(tree(msg))
	var found []api.Message
	for _, name := range names {
		found = append(found, all[name]...)
	}
	return found
}

// named is the messages of one tree by their names: the registry has them by name and CRC, and is too large to
// be gone through for each message that each kind uses.
type named struct {
	registered int // so many there were: generated code adds its own when it is loaded
	messages   map[string][]api.Message
}

var namedTrees sync.Map // of *named, by path

func namedIn(tree string) map[string][]api.Message {
	registered := api.GetRegisteredMessages()[tree]
	if n, ok := namedTrees.Load(tree); ok && n.(*named).registered == len(registered) {
		return n.(*named).messages
	}
	n := &named{registered: len(registered), messages: make(map[string][]api.Message, len(registered))}
	for _, m := range registered {
		n.messages[m.GetMessageName()] = append(n.messages[m.GetMessageName()], m)
	}
	namedTrees.Store(tree, n)
	return n.messages
}

// Uses declares that requests like msgs are going to be sent on this Conn,
// which refuses all others with [ErrNotAllowed]. It returns them with what VPP
// answers to them (found in the bindings that msgs belong to), as sorted
// "name_crc". On a nil Conn it only returns them. Declaring twice is harmless.
func (c *Conn) Uses(msgs ...api.Message) []string {
	var all []string
	for _, msg := range msgs {
		all = append(all, nameCRC(msg))
		for _, m := range kin(msg) {
			all = append(all, nameCRC(m))
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if c != nil {
		for _, key := range all {
			c.allowed.Store(key, nil)
		}
	}
	return all
}

// always is what needs no declaration: asking for life and identity, and what Conn itself sends.
var always = []string{"control_ping", "show_version", "want_interface_events"}

// Has reports whether the connected VPP has the message with this "name_crc".
func (c *Conn) Has(nameCRC string) bool {
	_, ok := c.table.ids[nameCRC]
	return ok
}

// CRC gives the CRC with which the connected VPP has a message, "" and false if it lacks it.
func (c *Conn) CRC(name string) (crc string, ok bool) {
	crc, ok = c.table.crcs[name]
	return crc, ok
}

// CheckCompatibility returns an [*api.CompatibilityError] with the "name_crc"
// of each message if the connected VPP lacks one of msgs.
func (c *Conn) CheckCompatibility(msgs ...api.Message) error {
	var e api.CompatibilityError
	for _, msg := range msgs {
		if key := nameCRC(msg); c.Has(key) {
			e.CompatibleMessages = append(e.CompatibleMessages, key)
		} else {
			e.IncompatibleMessages = append(e.IncompatibleMessages, key)
		}
	}
	if len(e.IncompatibleMessages) == 0 {
		return nil
	}
	return &e
}

// request is what has to be known of a message type to send it.
type request struct {
	name string
	id   uint16
	also []string // other messages that VPP is known to answer with
}

// reply is what has to be known of a message type to decode it.
type reply struct {
	id     uint16
	retval int  // field index of Retval, -1 if there is none
	lists  bool // holds slices, whose lengths VPP leaves unset when it fails
}

// errNil is a fault of the caller's, told as any other.
var errNil = errors.New("a message is nil")

func isNil(msg api.Message) bool {
	v := reflect.ValueOf(msg)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// types caches request and reply by Go type, so that a call looks nothing up by name.
type types struct{ requests, replies sync.Map }

func (c *Conn) request(msg api.Message) (*request, error) {
	typ := reflect.TypeOf(msg)
	if r, ok := c.types.requests.Load(typ); ok {
		return r.(*request), nil
	}
	name, key := msg.GetMessageName(), nameCRC(msg)
	if _, ok := c.allowed.Load(key); !ok && !slices.Contains(always, name) && !strings.HasPrefix(name, "sockclnt_") {
		return nil, &Error{Message: name, Err: fmt.Errorf("%w: %s: call Uses(&%s{}) on the Conn first", ErrNotAllowed, key, typ.Elem())}
	}
	if msg.GetMessageType() != api.RequestMessage {
		return nil, &Error{Message: name, Err: fmt.Errorf("%w: it is no request", ErrNotAllowed)}
	}
	id, err := c.table.id(msg)
	if err != nil {
		return nil, &Error{Message: name, Err: err}
	}
	r := &request{name: name, id: id, also: alsoAnswers[name]}
	c.types.requests.Store(typ, r)
	return r, nil
}

func (c *Conn) reply(msg api.Message) (*reply, error) {
	typ := reflect.TypeOf(msg)
	if r, ok := c.types.replies.Load(typ); ok {
		return r.(*reply), nil
	}
	id, err := c.table.id(msg)
	if err != nil {
		return nil, err
	}
	r := &reply{id: id, retval: -1, lists: hasLists(typ.Elem())}
	if f, ok := typ.Elem().FieldByName("Retval"); ok && f.Type.Kind() == reflect.Int32 {
		r.retval = f.Index[0]
	}
	c.types.replies.Store(typ, r)
	return r, nil
}

// answers reports whether a message with this id answers req with want.
func (c *Conn) answers(id uint16, req *request, want *reply) bool {
	if id == want.id {
		return true
	}
	if len(req.also) == 0 || int(id) >= len(c.table.names) {
		return false
	}
	// The exceptions have the same definition under another name, so the same CRC.
	name, crc := splitCRC(c.table.names[id])
	_, wantCRC := splitCRC(c.table.names[want.id])
	return crc == wantCRC && slices.Contains(req.also, name)
}

func splitCRC(key string) (name, crc string) {
	i := strings.LastIndexByte(key, '_')
	return key[:max(i, 0)], key[i+1:]
}

// alsoAnswers lists the requests that VPP answers with the reply of another
// one: slips in its handlers, up to 26.06 unless said otherwise.
var alsoAnswers = map[string][]string{
	"acl_stats_intf_counters_enable": {"acl_del_reply"},
	"det44_close_session_in":         {"det44_close_session_out_reply"},
	"nat_det_close_session_in":       {"nat_det_close_session_out_reply"},
	"one_nsh_set_locator_set":        {"one_pitr_set_locator_set_reply"},
	"policer_input_v2":               {"policer_input_reply"},
	"policer_output_v2":              {"policer_output_reply"},
	"sr_policy_mod_v2":               {"sr_policy_mod_reply"}, // 24.10
}

func hasLists(typ reflect.Type) bool {
	switch typ.Kind() {
	case reflect.Slice:
		return true
	case reflect.Array:
		return hasLists(typ.Elem())
	case reflect.Struct:
		for i := range typ.NumField() {
			if hasLists(typ.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// resolve finds the Go type of an incoming message in the first tree that has it.
func (t *table) resolve(id uint16, trees []string) (reflect.Type, error) {
	registered := api.GetRegisteredMessages()
	key := t.name(id)
	for _, tree := range append(slices.Clip(trees), govppTree) {
		if msg, ok := registered[tree][key]; ok {
			return reflect.TypeOf(msg).Elem(), nil
		}
	}
	return nil, fmt.Errorf("%w: no bindings for %s", ErrUnexpectedReply, key)
}
