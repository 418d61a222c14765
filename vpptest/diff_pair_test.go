// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.fd.io/govpp/api"
)

// A pair is a fresh real VPP and a fresh one in memory.
type pair struct {
	real, fake side
	vpp        *VPP
	panicked   atomic.Value // string
	refused    atomic.Value // string: what is not imitated
	deaths     bool         // differences of answers do not matter
}

// newPair starts the VPP in memory; the other one is listening on a socket.
func newPair(socket, dir string, opts ...Option) (*pair, error) {
	p := &pair{}
	var err error
	told := WithReport(func(text string) {
		if what, ok := strings.CutPrefix(text, "vpptest: not imitated: "); ok {
			p.refused.CompareAndSwap(nil, what)
		}
	})
	if p.vpp, err = Start(append(opts, WithDirectory(dir), told)...); err != nil {
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

// figures count what was compared.
type figures struct {
	requests, replies, events int
	explained                 map[string]int // by group
}

func (f *figures) add(more figures) {
	f.requests, f.replies, f.events = f.requests+more.requests, f.replies+more.replies, f.events+more.events
	for group, n := range more.explained {
		f.explained[group] += n
	}
}

// run asks both sides the whole sequence, some requests at a time, up to the first
// difference that is not explained.
func (p *pair) run(sequence []api.Message, atOnce int, f *figures) (*difference, error) {
	listening := slices.ContainsFunc(sequence, func(m api.Message) bool { return strings.HasPrefix(m.GetMessageName(), "want_") })
	if listening {
		atOnce = 1 // which events are one depends on what VPP reads in one go
	}
	for begin := 0; begin < len(sequence); begin += atOnce {
		part := sequence[begin:min(begin+atOnce, len(sequence))]
		asked := make(chan exchange, 1)
		go func() { asked <- p.fake.ask(part, listening) }()
		real := p.real.ask(part, listening)
		fake := <-asked
		died, refused, why := errors.Is(real.err, errDied), p.refused.Load(), p.vpp.Died()
		switch {
		case died && unreadable.MatchString(real.err.Error()):
			f.explained[unreadableWhy]++
			return nil, nil
		case real.err != nil && !died:
			return nil, real.err
		case len(part) > 1 && (died || refused != nil || why != ""):
			return nil, errAlone
		case died && why != "":
			f.explained["both VPPs died: "+why]++
			return nil, nil
		case died && refused != nil && !p.deaths:
			f.explained["not imitated: "+refused.(string)]++
			return nil, nil
		case died:
			return &difference{at: begin, group: part[0].GetMessageName() + "|" + deathShape, died: true}, nil
		case why != "" && !p.deaths:
			return &difference{at: begin, group: part[0].GetMessageName() + "|the in-memory VPP died: " + why}, nil
		case refused != nil && !p.deaths:
			f.explained["not imitated: "+refused.(string)]++
			return nil, nil // what comes after would build on it
		}
		for i, m := range part {
			f.requests++
			f.replies += len(real.answers[i])
			if p.deaths {
				continue
			}
			d, err := p.compare(m.GetMessageName(), real.answers[i], fake.answers[i])
			if d == nil && err == nil && listening {
				f.events += len(real.events)
				d, err = p.compare("event of "+m.GetMessageName(), real.events, fake.events)
				if d != nil { // on a busy machine one of them may only be late
					for side, e := range map[*side]*exchange{&p.real: &real, &p.fake: &fake} {
						more, _ := side.w.quiet(time.Second)
						e.events = append(e.events, more...)
					}
					d, err = p.compare("event of "+m.GetMessageName(), real.events, fake.events)
				}
			}
			if err != nil {
				return nil, err
			}
			if d == nil {
				continue
			}
			d.at = begin + i
			e := explain(d)
			if e == nil {
				return d, nil
			}
			f.explained[d.group]++
			if e.ends {
				return nil, nil
			}
		}
	}
	return nil, nil
}

// ends tells whether the real VPP dies or hangs of what it was sent before, given time.
func (p *pair) ends(sequence []api.Message, wait time.Duration) (bool, error) {
	p.deaths = true
	d, err := p.run(sequence, 1, &figures{explained: map[string]int{}})
	if d != nil || err != nil {
		return d != nil, err
	}
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if e := p.real.ask(nil, false); e.err != nil {
			return errors.Is(e.err, errDied), nil
		}
	}
	return false, nil
}

// compare is nil if two lists of answers are the same.
func (p *pair) compare(request string, real, fake []received) (*difference, error) {
	d, err := compareAnswers(request, real, fake, p.real.dir)
	if why := p.panicked.Load(); d != nil && why != nil && len(fake) == 0 {
		d.group = request + "|the in-memory VPP panicked: " + why.(string)
	}
	return d, err
}
