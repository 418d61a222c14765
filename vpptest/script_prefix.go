// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.fd.io/govpp/binapi/ip_types"
)

// unmarshal is json.Unmarshal that takes prefixes of any length, as VPP does and
// bindings do not.
func unmarshal(text json.RawMessage, m any) error {
	if err := json.Unmarshal(lengths.ReplaceAll(text, []byte("/0\"")), m); err != nil {
		return err
	}
	var said any
	if err := json.Unmarshal(text, &said); err != nil {
		return err
	}
	lengthen(reflect.ValueOf(m), said)
	return nil
}

var lengths = regexp.MustCompile(`/[0-9]+"`)

// lengthen puts the lengths of prefixes back, and the bits that they would have cut.
func lengthen(v reflect.Value, said any) {
	switch said := said.(type) {
	case map[string]any:
		for v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if inner, ok := said[name]; ok {
				lengthen(v.Field(i), inner)
			}
		}
	case []any:
		if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
			return
		}
		for i := range min(v.Len(), len(said)) {
			lengthen(v.Index(i), said[i])
		}
	case string:
		addr, bits, ok := strings.Cut(said, "/")
		n, err := strconv.ParseUint(bits, 10, 8)
		a, err2 := netip.ParseAddr(addr)
		if !ok || err != nil || err2 != nil || !v.CanAddr() {
			return
		}
		switch p := v.Addr().Interface().(type) {
		case *ip_types.Prefix:
			*p = ip_types.Prefix{Address: wireAddr(a), Len: uint8(n)}
		case *ip_types.AddressWithPrefix:
			*p = ip_types.AddressWithPrefix{Address: wireAddr(a), Len: uint8(n)}
		case *ip_types.IP4Prefix:
			p.Len = uint8(n)
		case *ip_types.IP6Prefix:
			p.Len = uint8(n)
		}
	}
}
