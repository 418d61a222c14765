// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
)

// A side is one of two VPPs that are asked the same.
type side struct {
	w   *wire
	dir string
}

// ask sends requests in one go, each with a context of its own, and returns the answers
// to each. When VPP ends, it returns what came before.
func (s *side) ask(requests []api.Message) ([][]received, error) {
	var out []byte
	first := s.w.context + 1
	for _, m := range requests {
		wire, err := s.encode(m)
		if err != nil {
			return nil, err
		}
		out, _ = s.w.address(out, wire)
	}
	ping, err := s.w.encode(&memclnt.ControlPing{})
	if err != nil {
		return nil, err
	}
	out, fence := s.w.address(out, ping)
	answers := make([][]received, len(requests))
	if _, err := s.w.conn.Write(out); err != nil {
		return answers, fmt.Errorf("%w: %w", errDied, err)
	}
	for {
		r, context, err := s.w.hear(patience)
		if err != nil {
			return answers, fmt.Errorf("%w: %w", errDied, err)
		}
		switch i := int(context - first); {
		case r.GetMessageType() == api.EventMessage:
		case context == fence:
			return answers, nil
		case i >= 0 && i < len(answers):
			answers[i] = append(answers[i], r)
		}
	}
}

var errDied = errors.New("no more answers")

// encode puts the side's directory in the place of $DIR.
func (s *side) encode(m api.Message) ([]byte, error) {
	wire, err := s.w.encode(m)
	if err != nil || !bytes.Contains(wire, []byte(dirMark)) {
		return wire, err
	}
	text, err := say(m)
	if err != nil {
		return nil, err
	}
	_, wire, err = text.in(s.dir).wire(s.w.ids)
	return wire, err
}

// A pair is a fresh real VPP and a fresh one in memory.
type pair struct {
	real, fake side
	vpp        *VPP
	panicked   atomic.Value // string
}

// newPair starts the VPP in memory; the other one is listening on a socket.
func newPair(socket, dir string, opts ...Option) (*pair, error) {
	p := &pair{}
	var err error
	if p.vpp, err = Start(append(opts, WithDirectory(dir))...); err != nil {
		return nil, err
	}
	guard(p.vpp, func(why any) { p.panicked.Store(fmt.Sprint(why)) })
	p.real.dir, p.fake.dir = dir, dir
	if p.real.w, err = dial(socket); err == nil {
		p.fake.w, err = dial(p.vpp.Socket())
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// guard has a handler that panics answer nothing, and say so, rather than end the test.
func guard(v *VPP, say func(why any)) {
	v.Do(func() {
		for id, h := range v.life.handlers {
			run := h.run
			h.run = func(c *Call, msg []byte) (ok bool) {
				defer func() {
					if why := recover(); why != nil {
						say(why)
					}
				}()
				return run(c, msg)
			}
			v.life.handlers[id] = h
		}
	})
}

func (p *pair) close() {
	for _, s := range []*side{&p.real, &p.fake} {
		if s.w != nil {
			s.w.close()
		}
	}
	_ = p.vpp.Close()
}

// A difference is one answer that was not the same.
type difference struct {
	at         int    // which request of the sequence
	group      string // request|shape
	real, fake []said
	died       bool
}

// deathShape is the shape of a difference that is the real VPP's end.
const deathShape = "the real VPP died"

// figures count what was compared.
type figures struct {
	requests, replies int
	explained         map[string]int // by group
}

// run asks both sides the whole sequence, some requests at a time, up to the first
// difference that is not explained.
func (p *pair) run(sequence []api.Message, atOnce int, f *figures) (*difference, error) {
	for begin := 0; begin < len(sequence); begin += atOnce {
		part := sequence[begin:min(begin+atOnce, len(sequence))]
		fake := make(chan [][]received, 1)
		go func() {
			answers, _ := p.fake.ask(part)
			fake <- answers
		}()
		real, err := p.real.ask(part)
		have := <-fake
		if errors.Is(err, errDied) && len(part) == 1 {
			return &difference{at: begin, group: part[0].GetMessageName() + "|" + deathShape, died: true}, nil
		}
		if err != nil {
			return nil, err // errDied: who killed it is seen when they are asked one by one
		}
		for i, m := range part {
			name := m.GetMessageName()
			f.requests++
			f.replies += len(real[i])
			d, bad := compareAnswers(name, real[i], have[i], p.real.dir)
			if bad != nil {
				return nil, bad
			}
			if d == nil {
				continue
			}
			d.at = begin + i
			if why := p.panicked.Load(); why != nil && len(have[i]) == 0 {
				d.group = name + "|the in-memory VPP panicked: " + why.(string)
			}
			if explain(d) == "" {
				return d, nil
			}
			f.explained[d.group]++
		}
	}
	return nil, nil
}

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
