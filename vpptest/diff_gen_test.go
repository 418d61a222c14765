// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/vrrp"
)

// A generator makes requests at random. Values come from small pools (diff_pools_test.go),
// so that what one request makes is what the next one means; now and then they are junk.
type generator struct {
	*rand.Rand
	requests []api.Message // one of each, as models
	junk     float64       // how often a value is anything at all
}

// any is a sequence of any length. One in twenty is short, and listens to events.
func (g *generator) any() []api.Message {
	if g.IntN(20) == 0 {
		return append([]api.Message{
			&interfaces_api.WantInterfaceEvents{EnableDisable: 1, PID: 7}, &vrrp.WantVrrpVrEvents{EnableDisable: true, PID: 7},
		}, g.sequence(30)...)
	}
	return g.sequence(pickOf(g, []int{100, 1000, 8000}))
}

// sequence is n requests around a few modules, others after a while, and among some that
// give them something to work on.
func (g *generator) sequence(n int) (out []api.Message) {
	add := func(m api.Message) {
		if neverSend(m, out) == "" {
			out = append(out, m)
		}
	}
	focus := g.focus()
	for _, name := range starters {
		for range g.IntN(3) {
			if m := g.named(name); m != nil {
				add(g.make(m))
			}
		}
	}
	for tries := 0; len(out) < n; tries++ {
		if tries%400 == 399 {
			focus = g.focus()
		}
		switch {
		case tries%40 == 39: // look at everything at once
			for _, m := range focus {
				if strings.Contains(m.GetMessageName(), "_dump") {
					add(g.all(m))
				}
			}
		case g.IntN(8) == 0:
			if m := g.named(starters[g.IntN(len(starters))]); m != nil {
				add(g.make(m))
			}
		default:
			add(g.make(focus[g.IntN(len(focus))]))
		}
	}
	return out
}

// focus is the requests of one to three modules, or, sometimes, a dozen of any.
func (g *generator) focus() (out []api.Message) {
	if g.IntN(5) == 0 {
		for range 12 {
			out = append(out, g.requests[g.IntN(len(g.requests))])
		}
		return out
	}
	in := map[string]bool{}
	for range 1 + g.IntN(3) {
		in[moduleOf(g.requests[g.IntN(len(g.requests))])] = true
	}
	for _, m := range g.requests {
		if in[moduleOf(m)] {
			out = append(out, m)
		}
	}
	return out
}

func (g *generator) named(name string) api.Message {
	for _, m := range g.requests {
		if m.GetMessageName() == name {
			return m
		}
	}
	return nil
}

// make fills a request.
func (g *generator) make(like api.Message) api.Message {
	m := newMessage(like)
	g.fill(reflect.ValueOf(m).Elem(), m.GetMessageName(), "")
	return m
}

// all is a dump of all there is.
func (g *generator) all(like api.Message) api.Message {
	m := newMessage(like)
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		if name := fieldName(v.Type().Field(i)); strings.HasSuffix(name, "sw_if_index") || strings.HasSuffix(name, "acl_index") || name == "bd_id" {
			v.Field(i).SetUint(none)
		} else if name == "dump_all" {
			v.Field(i).SetUint(1)
		}
	}
	return m
}

// fieldName is VPP's name of a field; "" if it is not for us to fill.
func fieldName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return strings.TrimPrefix(name, "-")
}

func (g *generator) chance(p float64) bool { return g.Float64() < p }

func pickOf[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// fill sets v, the field called name of the message.
func (g *generator) fill(v reflect.Value, message, name string) {
	if g.chance(g.junk) && g.anything(v) {
		return
	}
	for _, key := range []string{message + "." + name, name} {
		if pool, ok := numbers[key]; ok && (v.CanUint() || v.CanInt()) {
			set(v, pickOf(g, pool))
			return
		}
		if pool, ok := texts[key]; ok && v.Kind() == reflect.String {
			v.SetString(pickOf(g, pool))
			return
		}
	}
	switch p := v.Addr().Interface().(type) {
	case *ethernet_types.MacAddress:
		*p = pickOf(g, macs)
		return
	case *ip_types.Address:
		*p = pickOf(g, addresses)
		return
	case *ip_types.AddressUnion:
		*p = pickOf(g, addresses).Un
		return
	case *ip_types.IP4Address:
		a := pickOf(g, addresses[:ip4Addresses])
		*p = a.Un.GetIP4()
		return
	case *ip_types.IP6Address:
		a := pickOf(g, addresses[ip4Addresses:])
		*p = a.Un.GetIP6()
		return
	case *ip_types.Prefix:
		*p = pickOf(g, prefixes)
		return
	case *ip_types.AddressWithPrefix:
		*p = ip_types.AddressWithPrefix(pickOf(g, prefixes))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if field := fieldName(v.Type().Field(i)); field != "" {
				g.fill(v.Field(i), message, field)
			}
		}
	case reflect.Slice:
		pool := lengths[message+"."+name]
		if pool == nil {
			pool = []int{0, 1, 1, 2, 2, 3}
		}
		n := pickOf(g, pool)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			g.fill(v.Index(i), message, name)
		}
	case reflect.Array:
		if g.IntN(4) == 0 && name != "label_stack" {
			for i := range v.Len() {
				g.fill(v.Index(i), message, name)
			}
		}
	case reflect.Bool:
		v.SetBool(g.chance(trueOf(name)))
	case reflect.Float64:
		v.SetFloat(pickOf(g, []float64{0, 0.1, 1, 10}))
	case reflect.String:
		v.SetString(pickOf(g, texts[""]))
	default:
		if values := enumValues(v); len(values) > 0 {
			set(v, pickOf(g, values))
		} else {
			set(v, pickOf(g, numbers[""]))
		}
	}
}

// anything sets a plain value to whatever fits its size.
func (g *generator) anything(v reflect.Value) bool {
	switch {
	case v.CanUint() || v.CanInt():
		set(v, pickOf(g, []uint64{g.Uint64(), 1 << 31, none, g.Uint64N(300)}))
	case v.Kind() == reflect.String:
		b := make([]byte, g.IntN(70))
		for i := range b {
			b[i] = byte(1 + g.IntN(255))
		}
		v.SetString(string(b))
	default:
		return false
	}
	return true
}

// set cuts n to what v can hold.
func set(v reflect.Value, n uint64) {
	bits := v.Type().Bits()
	n &= 1<<bits - 1
	if v.CanUint() {
		v.SetUint(n)
	} else {
		v.SetInt(int64(n<<(64-bits)) >> (64 - bits))
	}
}

// enumValues are those that an enum has a name for, and one that it has not.
func enumValues(v reflect.Value) (out []uint64) {
	if !v.CanUint() || v.Type().PkgPath() == "" {
		return nil
	}
	if _, ok := v.Interface().(interface{ String() string }); !ok {
		return nil
	}
	at := reflect.New(v.Type()).Elem()
	for _, n := range append([]uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 16, 32, 64, 128, 256, 512, 1024) {
		if at.Type().Bits() < 16 && n > 255 {
			break
		}
		set(at, n)
		if text := at.Interface().(interface{ String() string }).String(); !strings.ContainsAny(text, "()|") && text != "" && !('0' <= text[0] && text[0] <= '9') {
			out = append(out, n)
		}
	}
	if len(out) > 0 && !slices.Contains(out, 0) {
		out = append(out, 0)
	}
	return out
}
