// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// calm is how long no event must come for a step to be over, once events were asked for.
const calm = 60 * time.Millisecond

// A player runs the steps of a script against one VPP.
type player struct {
	socket, dir string
	volatile    []string
	clients     map[int]*wire
	listening   bool
	pending     map[int][][]byte
	named       map[string][]said // answers, as they came
}

func (p *player) close() {
	for _, w := range p.clients {
		w.close()
	}
}

func (p *player) client(n int) (*wire, error) {
	if w := p.clients[n]; w != nil {
		return w, nil
	}
	w, err := dial(p.socket)
	if err != nil {
		return nil, err
	}
	p.clients[n] = w
	return w, nil
}

// play makes one step and fills in what came back.
func (p *player) play(step *RecordedStep) error {
	w, err := p.client(step.Client)
	if err != nil {
		return err
	}
	said, err := p.fill(step.Request, step.From)
	if err != nil {
		return err
	}
	request, wire, err := said.in(p.dir).wire(w.ids)
	if err != nil {
		return err
	}
	p.pending[step.Client] = append(p.pending[step.Client], wire)
	if step.Pipeline {
		return nil
	}
	answers, events, err := w.exchange(p.pending[step.Client]...)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && p.gone() {
		step.Died = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", request.GetMessageName(), err)
	}
	if step.As != "" {
		for _, a := range answers {
			s, err := sayWire(a.Message, a.wire)
			if err != nil {
				return err
			}
			p.named[step.As] = append(p.named[step.As], s)
		}
	}
	delete(p.pending, step.Client)
	if step.Answers, err = p.hear(answers); err != nil {
		return err
	}
	p.listening = p.listening || strings.HasPrefix(request.GetMessageName(), "want_")
	if !p.listening {
		return nil
	}
	for _, n := range sortedKeys(p.clients) {
		late, err := p.clients[n].quiet(calm)
		if err != nil {
			return err
		}
		if n == step.Client {
			late = append(events, late...)
		}
		heard, err := p.hear(late)
		if err != nil {
			return err
		}
		step.Events = append(step.Events, heard...)
	}
	return nil
}

// gone tells whether VPP has ended, or only a connection to it.
func (p *player) gone() bool {
	w, err := dial(p.socket)
	if err == nil {
		w.close()
	}
	return err != nil
}

func (p *player) hear(messages []received) (out []said, err error) {
	for _, m := range messages {
		s, err := sayWire(m.Message, m.wire)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return p.clean(out)
}

// clean scrubs messages and orders them; twice is once.
func (p *player) clean(all []said) (out []said, err error) {
	for _, s := range all {
		if s, err = s.scrub(p.dir, p.volatile); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	sortUnordered(out)
	return out, nil
}

// fill puts into a request what earlier answers said.
func (p *player) fill(request said, from map[string]string) (said, error) {
	if len(from) == 0 {
		return request, nil
	}
	name := request.name()
	fields, err := values(request[name])
	if err != nil {
		return nil, err
	}
	for _, field := range sortedKeys(from) {
		value, err := p.answered(from[field])
		if err != nil {
			return nil, err
		}
		if err := put(fields, strings.Split(field, "."), value); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", name, field, err)
		}
	}
	text, err := marshal(fields)
	out := said{name: text}
	if rest := request[bytesMark]; rest != nil {
		out[bytesMark] = rest
	}
	return out, err
}

// answered is the value that "step.field" or "step.n.field" stands for.
func (p *player) answered(ref string) (any, error) {
	path := strings.Split(ref, ".")
	answers, n := p.named[path[0]], 0
	if answers == nil {
		return nil, fmt.Errorf("%q: no step of this name was answered yet", ref)
	}
	path = path[1:]
	if len(path) > 0 {
		if i, err := strconv.Atoi(path[0]); err == nil {
			n, path = i, path[1:]
		}
	}
	if n < 0 || n >= len(answers) {
		return nil, fmt.Errorf("%q: there are %d answers", ref, len(answers))
	}
	v, err := values(answers[n][answers[n].name()])
	if err != nil {
		return nil, err
	}
	for _, step := range path {
		switch in := v.(type) {
		case map[string]any:
			v = in[step] // absent: zero
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(in) {
				return nil, fmt.Errorf("%q: no element %s among %d", ref, step, len(in))
			}
			v = in[i]
		default:
			return nil, fmt.Errorf("%q: %s is in nothing that has fields", ref, step)
		}
	}
	return v, nil
}

// put sets a field to a value; nil makes it absent, which is zero.
func put(in any, path []string, value any) error {
	switch in := in.(type) {
	case map[string]any:
		switch {
		case len(path) > 1:
			if in[path[0]] == nil {
				in[path[0]] = map[string]any{}
			}
			return put(in[path[0]], path[1:], value)
		case value == nil:
			delete(in, path[0])
		default:
			in[path[0]] = value
		}
		return nil
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i >= len(in) {
			return fmt.Errorf("no element %s among %d", path[0], len(in))
		}
		if len(path) > 1 {
			return put(in[i], path[1:], value)
		}
		in[i] = value
		return nil
	}
	return fmt.Errorf("%s is in nothing that has fields", path[0])
}
