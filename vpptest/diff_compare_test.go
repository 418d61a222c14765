// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A difference is one answer that was not the same.
type difference struct {
	at         int    // which request of the sequence
	group      string // request|shape
	real, fake []said
	died       bool
}

// deathShape is the shape of a difference that is the real VPP's end.
const deathShape = "the real VPP died"

// compareAnswers is nil if the answers to one request are the same.
func compareAnswers(request string, real, fake []received, dir string) (*difference, error) {
	if slices.EqualFunc(real, fake, func(a, b received) bool {
		return a.GetMessageName() == b.GetMessageName() && bytes.Equal(bodyOf(a.Message, a.wire), bodyOf(b.Message, b.wire))
	}) {
		return nil, nil
	}
	p := &player{dir: dir, volatile: arbitrary}
	r, err := p.hear(real)
	if err != nil {
		return nil, err
	}
	f, err := p.hear(fake)
	if err != nil {
		return nil, err
	}
	if shape := shapeOf(r, f); shape != "" {
		return &difference{group: request + "|" + shape, real: r, fake: f}, nil
	}
	return nil, nil
}

// shapeOf says in what way two lists of answers differ, without the values but of
// retval; "" if they do not.
func shapeOf(real, fake []said) string {
	count := make(map[string]int)
	for _, s := range real {
		count[s.name()]++
	}
	for _, s := range fake {
		count[s.name()]--
	}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		switch {
		case count[name] > 0:
			return "only real " + name
		case count[name] < 0:
			return "only fake " + name
		}
	}
	for i, r := range real {
		f := fake[i]
		if r.String() == f.String() {
			continue
		}
		if r.name() != f.name() {
			return "order"
		}
		rv, _ := values(r[r.name()])
		fv, _ := values(f[f.name()])
		paths := map[string]bool{}
		differing(rv, fv, "", paths)
		if paths[".retval"] {
			return fmt.Sprintf("retval real %s, fake %s", retvalOf(rv), retvalOf(fv))
		}
		if len(paths) == 0 {
			return r.name() + " " + bytesMark
		}
		return r.name() + " " + strings.Join(slices.Sorted(maps.Keys(paths)), ",")
	}
	return ""
}

func retvalOf(v any) string {
	if m, ok := v.(map[string]any); ok && m["retval"] != nil {
		return string(m["retval"].(json.Number))
	}
	return "0"
}

// differing collects the names of what is not the same in two values.
func differing(a, b any, path string, into map[string]bool) {
	am, aok := a.(map[string]any)
	bm, bok := b.(map[string]any)
	if aok && bok {
		for name := range am {
			differing(am[name], bm[name], path+"."+name, into)
		}
		for name := range bm {
			if _, ok := am[name]; !ok {
				into[path+"."+name] = true
			}
		}
		return
	}
	al, aok := a.([]any)
	bl, bok := b.([]any)
	if aok && bok && len(al) == len(bl) {
		for i := range al {
			differing(al[i], bl[i], path, into)
		}
		return
	}
	if fmt.Sprint(a) != fmt.Sprint(b) {
		into[path] = true
	}
}
