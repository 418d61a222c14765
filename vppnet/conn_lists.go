// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"sync"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/codec"
)

// unmarshal decodes a message of VPP's.
//
// Generated code makes a list as long as the message announces before it looks whether that
// much follows, and no program survives a list of four thousand million. So a number of 32 bits
// is compared with what is there first: each entry of a list has a byte at least.
func unmarshal(msg []byte, m api.Message) error {
	for _, at := range countsOf(reflect.TypeOf(m).Elem()) {
		if at += bodyOffset(m); len(msg) >= at+4 {
			if n := binary.BigEndian.Uint32(msg[at:]); uint64(n) > uint64(len(msg)-at-4) {
				return fmt.Errorf("%w: %s announces %d entries in %d bytes", ErrUnexpectedReply, m.GetMessageName(), n, len(msg)-at-4)
			}
		}
	}
	if err := codec.DecodeMsg(msg, m); err != nil {
		return fmt.Errorf("%w: %w", ErrUnexpectedReply, err)
	}
	return nil
}

var counts sync.Map // by reflect.Type

// countsOf are the places, in the body of a message, of the numbers of 32 bits that announce lists.
func countsOf(t reflect.Type) []int {
	known, ok := counts.Load(t)
	if !ok {
		var at []int
		size(t, 0, &at)
		known, _ = counts.LoadOrStore(t, at)
	}
	return known.([]int)
}

// tag is how generated code says what VPP calls a field, and how long it is: "u32,name=count",
// "acl_rule[count],name=r", "string[64],name=tag".
var tag = regexp.MustCompile(`^\w+(?:\[(\w*)\])?,name=(\w+)`)

// size is how many bytes VPP takes for a type that begins at a place, and notes which of them announce
// lists. It is not fixed where there is a list: what follows is at no place that can be known.
func size(t reflect.Type, at int, announce *[]int) (bytes int, fixed bool) {
	switch t.Kind() {
	case reflect.Array:
		n, fixed := size(t.Elem(), at, announce)
		return t.Len() * n, fixed
	case reflect.Struct:
	default:
		return int(t.Size()), true
	}
	places, begin := map[string]int{}, at
	for i := range t.NumField() {
		f := t.Field(i)
		said := append(tag.FindStringSubmatch(f.Tag.Get("binapi")), "", "", "")
		length, name := said[1], said[2]
		switch f.Type.Kind() {
		case reflect.Slice:
			if place, ok := places[length]; ok {
				*announce = append(*announce, place)
			}
			return 0, false
		case reflect.String:
			n, err := strconv.Atoi(length)
			if err != nil {
				return 0, false // its length comes before it, and is compared when it is decoded
			}
			at += n
		default:
			if f.Type.Kind() == reflect.Uint32 {
				places[name] = at
			}
			n, fixed := size(f.Type, at, announce)
			if !fixed {
				return 0, false
			}
			at += n
		}
	}
	return at - begin, true
}
