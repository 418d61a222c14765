// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/codec"
)

// A said is a message in JSON: its name, with its fields without those that are zero,
// and what those do not say of its bytes, if anything.
type said map[string]json.RawMessage

// bytesMark is the other key of a said.
const bytesMark = "@bytes"

// say turns a binding into JSON.
func say(m api.Message) (said, error) {
	wire, err := codec.EncodeMsg(m, 0)
	if err != nil {
		return nil, err
	}
	return sayWire(m, wire)
}

// sayWire does so for what m was decoded from.
func sayWire(m api.Message, wire []byte) (said, error) {
	fields, err := marshal(m)
	if err != nil {
		return nil, err
	}
	s := said{m.GetMessageName(): fields}
	again := newMessage(m)
	var plain []byte
	if json.Unmarshal(fields, again) == nil {
		if plain, err = codec.EncodeMsg(again, 0); err != nil {
			return nil, err
		}
	}
	if rest := restOf(bodyOf(m, plain), bodyOf(m, wire)); rest != nil {
		s[bytesMark], err = json.Marshal(rest)
	}
	return s, err
}

// wire is the message that the JSON tells of, with id, client index and context still
// to be filled in, for a VPP that knows ids.
func (s said) wire(ids map[string]uint16) (api.Message, []byte, error) {
	m, err := s.binding(ids)
	if err != nil {
		return nil, nil, err
	}
	var rest rest
	if text := s[bytesMark]; text != nil {
		if err := json.Unmarshal(text, &rest); err != nil {
			return nil, nil, err
		}
	}
	if err := json.Unmarshal(s[s.name()], m); err != nil && rest == nil {
		return nil, nil, err
	} else if err != nil {
		m = newMessage(m)
	}
	plain, err := codec.EncodeMsg(m, ids[crcName(m)])
	if err != nil {
		return nil, nil, err
	}
	body, err := rest.apply(bodyOf(m, plain))
	return m, append(plain[:len(plain)-len(bodyOf(m, plain))], body...), err
}

// marshal is json.Marshal without HTML in mind, and without MACs of zeros.
func marshal(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	text := bytes.TrimSpace(buf.Bytes())
	text = zeroMACs.ReplaceAll(text, nil)
	return lastZeroMAC.ReplaceAll(text, nil), err
}

// values is JSON without bindings; numbers stay as they are written.
func values(text json.RawMessage) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return v, d.Decode(&v)
}

// A MAC of zeros says as little as an absent one, and is as good.
var (
	zeroMACs    = regexp.MustCompile(`"[a-z0-9_]+":"00:00:00:00:00:00",`)
	lastZeroMAC = regexp.MustCompile(`,?"[a-z0-9_]+":"00:00:00:00:00:00"`)
)

// binding makes an empty one of the message, in the definition that ids have.
func (s said) binding(ids map[string]uint16) (api.Message, error) {
	name := s.name()
	if name == "" {
		return nil, errors.New("empty message")
	}
	for crcName := range ids {
		if known, ok := bindings()[crcName]; ok && known.GetMessageName() == name {
			return newMessage(known), nil
		}
	}
	return nil, fmt.Errorf("no binding fits this VPP's %s", name)
}

func newMessage(like api.Message) api.Message {
	return reflect.New(reflect.TypeOf(like).Elem()).Interface().(api.Message)
}

const dirMark = "$DIR"

// in puts a directory in the place of $DIR. Who has none leaves it as it is.
func (s said) in(dir string) said { return s.replace(dirMark, dir) }

func (s said) replace(old, new string) said {
	if old == "" || new == "" {
		return maps.Clone(s)
	}
	out := make(said, len(s))
	for name, fields := range s {
		out[name] = bytes.ReplaceAll(fields, []byte(old), []byte(new))
	}
	return out
}

var madeUpMAC = regexp.MustCompile(`"02:fe(:[0-9a-f]{2}){4}"`)

// scrub replaces what differs each time.
func (s said) scrub(dir string, fields []string) (said, error) {
	out := make(said, len(s))
	fields = slices.Concat(volatile, fields)
	for name, raw := range s.replace(dir, dirMark) {
		if name == bytesMark {
			if !slices.Contains(fields, s.name()+"."+bytesMark) {
				out[name] = raw
			}
			continue
		}
		v, err := values(raw)
		if err != nil {
			return nil, err
		}
		for _, field := range fields {
			if path, ok := strings.CutPrefix(field, name+"."); ok && path != bytesMark {
				blank(v, strings.Split(path, "."))
			}
		}
		blankSource(v)
		text, err := marshal(v)
		if err != nil {
			return nil, err
		}
		out[name] = madeUpMAC.ReplaceAll(text, []byte(`"02:fe:*"`))
	}
	return out, nil
}

// builtinSources is how many sources of routes VPP has without plugins.
const builtinSources = 22

// blankSource puts "*" for the source of a route that is a plugin's.
func blankSource(v any) {
	fields, _ := v.(map[string]any)
	route, _ := fields["route"].(map[string]any)
	if n, ok := route["src"].(json.Number); ok {
		if src, err := n.Int64(); err == nil && src >= builtinSources {
			route["src"] = "*"
		}
	}
}

// blank puts "*" where the path leads, in every element of a list on the way. It also
// sets fields that are absent: whether a volatile value is zero is chance too.
func blank(v any, path []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			blank(e, path)
		}
	case map[string]any:
		if len(path) == 1 {
			v[path[0]] = "*"
		} else if inner, ok := v[path[0]]; ok {
			blank(inner, path[1:])
		}
	}
}

func (s said) name() string {
	for name := range s {
		if name != bytesMark {
			return name
		}
	}
	return ""
}

func (s said) String() string {
	name := s.name()
	if rest := s[bytesMark]; rest != nil {
		return fmt.Sprintf("{%q: %s, %q: %s}", name, s[name], bytesMark, rest)
	}
	return fmt.Sprintf("{%q: %s}", name, s[name])
}

// sortUnordered gives the details of hash tables an order.
func sortUnordered(all []said) {
	slices.SortStableFunc(all, func(a, b said) int {
		if a.name() != b.name() || !slices.Contains(unordered, a.name()) {
			return 0
		}
		return strings.Compare(a.String(), b.String())
	})
}
