// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// Change is one field in which have and want differ.
type Change struct {
	Path string `json:"path"` // as in Go: "Rules[2].Port"
	Have string `json:"have"` // "" if there is none
	Want string `json:"want"`
}

// String returns "path: have -> want".
func (c Change) String() string {
	show := func(s string) string {
		if s == "" {
			return "(none)"
		}
		return s
	}
	return fmt.Sprintf("%s: %s -> %s", c.Path, show(c.Have), show(c.Want))
}

// brokenness is the change from what does not work, or to it.
func brokenness(have, want string) []Change {
	if have == want {
		return nil
	}
	return []Change{{"broken", have, want}}
}

// diff compares two specs field by field. go-cmp's own report is unstable on
// purpose, so the differences are collected and worded here.
func diff(have, want Object) []Change {
	if have == nil || want == nil {
		return nil
	}
	if reflect.TypeOf(have) != reflect.TypeOf(want) {
		return []Change{{"type", fmt.Sprintf("%T", have), fmt.Sprintf("%T", want)}}
	}
	v, w := reflect.ValueOf(have), reflect.ValueOf(want)
	if v.Kind() != reflect.Struct {
		var r changes
		cmp.Equal(have, want, cmp.Reporter(&r), whole, unexported)
		return r.list
	}
	var all []Change
	for i := range v.NumField() { // not as one: it may say itself what equals it, which names no field
		if f := v.Type().Field(i); isExported(f.Name) {
			r := changes{field: f.Name}
			cmp.Equal(v.Field(i).Interface(), w.Field(i).Interface(), cmp.Reporter(&r), whole, unexported)
			all = append(all, r.list...)
		}
	}
	return all
}

// whole compares as one value what has text of its own, and netip's types.
var whole = cmp.FilterPath(func(p cmp.Path) bool {
	t := p.Last().Type()
	if t == nil || t.Kind() != reflect.Struct && t.Kind() != reflect.Array {
		return false
	}
	return t.Implements(stringer) && t.Comparable() || t.PkgPath() == "net/netip"
}, cmp.Comparer(func(a, b any) bool { return a == b }))

var stringer = reflect.TypeFor[fmt.Stringer]()

var unexported = cmp.FilterPath(func(p cmp.Path) bool {
	f, ok := p.Last().(cmp.StructField)
	return ok && !isExported(f.Name())
}, cmp.Ignore())

func isExported(name string) bool { return name != "" && strings.ToUpper(name[:1]) == name[:1] }

type changes struct {
	field string // that is looked at, of a spec
	path  cmp.Path
	list  []Change
}

func (c *changes) PushStep(s cmp.PathStep) { c.path = append(c.path, s) }
func (c *changes) PopStep()                { c.path = c.path[:len(c.path)-1] }

func (c *changes) Report(r cmp.Result) {
	if r.Equal() {
		return
	}
	have, want := c.path.Last().Values()
	c.list = append(c.list, Change{c.where(), text(have), text(want)})
}

func (c *changes) where() string {
	var b strings.Builder
	b.WriteString(c.field)
	for _, s := range c.path[1:] {
		switch s := s.(type) {
		case cmp.StructField:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.Name())
		case cmp.SliceIndex:
			i, j := s.SplitKeys()
			fmt.Fprintf(&b, "[%d]", max(i, j))
		case cmp.MapIndex:
			fmt.Fprintf(&b, "[%v]", s.Key())
		}
	}
	return b.String()
}

// text words a value: quoted strings, "" for what is absent.
func text(v reflect.Value) string {
	if !v.IsValid() {
		return ""
	}
	switch x := v.Interface().(type) {
	case netip.Addr:
		if !x.IsValid() {
			return ""
		}
	case netip.Prefix:
		if !x.IsValid() {
			return ""
		}
	case fmt.Stringer:
	case string:
		return fmt.Sprintf("%q", x)
	}
	return fmt.Sprintf("%v", v.Interface())
}
