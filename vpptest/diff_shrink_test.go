// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"reflect"
	"slices"

	"go.fd.io/govpp/api"
)

// shrink looks for a shorter and plainer sequence that ends in the same kind of
// difference. Same tries one on fresh VPPs, and says how many of its requests it took,
// or 0; it is asked at most budget times.
func shrink(sequence []api.Message, budget int, same func([]api.Message) int) []api.Message {
	try := func(s []api.Message) bool {
		if budget <= 0 || len(s) == 0 || !allowed(s) {
			return false
		}
		budget--
		n := same(s)
		if n > 0 {
			sequence = s[:n]
		}
		return n > 0
	}
	// Good guesses come first: the last request shows it, and may be all that it takes, or
	// need only its own module's; what only reads can go.
	last := sequence[len(sequence)-1]
	for _, drop := range []func(api.Message) bool{
		func(api.Message) bool { return true },
		func(m api.Message) bool {
			return readsOnly(m.GetMessageName(), nil) || moduleOf(m) != moduleOf(last) && !slices.Contains(starters, m.GetMessageName())
		},
		func(m api.Message) bool { return readsOnly(m.GetMessageName(), nil) },
	} {
		s := append(slices.DeleteFunc(slices.Clone(sequence[:len(sequence)-1]), drop), last)
		if len(s) < len(sequence) && try(s) {
			break
		}
	}
	// Fewer requests, then less in each, which may make others needless.
	for n := len(sequence) + 1; len(sequence) < n; {
		n = len(sequence)
		fewer(&sequence, try)
		poorer(&sequence, try)
	}
	return sequence
}

// fewer leaves out stretches of a sequence, shorter and shorter ones, but the last.
func fewer(sequence *[]api.Message, try func([]api.Message) bool) {
	for size := len(*sequence) / 2; size > 0; size = min(size/2, len(*sequence)/2) {
		for begin := 0; begin < len(*sequence)-1; {
			end := min(begin+size, len(*sequence)-1)
			if !try(slices.Concat((*sequence)[:begin], (*sequence)[end:])) {
				begin = end
			}
		}
	}
}

// poorer makes the messages of a sequence plainer, one field at a time.
func poorer(sequence *[]api.Message, try func([]api.Message) bool) {
	for i := 0; i < len(*sequence); i++ {
		for _, plainer := range plainer((*sequence)[i]) {
			if s := slices.Clone(*sequence); i < len(s) {
				if s[i] = plainer(s[i]); s[i] != nil {
					try(s)
				}
			}
		}
	}
}

// allowed: what was left out may have been what made the rest harmless.
func allowed(sequence []api.Message) bool {
	for i, m := range sequence {
		if neverSend(m, sequence[:i]) != "" {
			return false
		}
	}
	return true
}

// plainer are ways to make a message say less: a field of zero, a list cut short. Each
// makes a new message, or nil if it says so little already.
func plainer(like api.Message) (ways []func(api.Message) api.Message) {
	t := reflect.TypeOf(like).Elem()
	for i := range t.NumField() {
		ways = append(ways, func(m api.Message) api.Message {
			out := newMessage(m)
			v := reflect.ValueOf(out).Elem()
			v.Set(reflect.ValueOf(m).Elem())
			f := v.Field(i)
			switch {
			case f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0:
				return nil
			case f.Kind() == reflect.Slice && f.Len() > 1:
				f.Set(f.Slice(0, 1))
			default:
				f.SetZero()
			}
			return out
		})
	}
	return ways
}
