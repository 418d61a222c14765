// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
)

// A side is one of two VPPs that are asked the same.
type side struct {
	w   *wire
	dir string
}

// An exchange is what came back of some requests.
type exchange struct {
	answers [][]received // to each
	events  []received   // between and, if they were waited for, behind
	err     error        // errDied: VPP ended, this is what came before
}

// ask sends requests in one go, each with a context of its own. Listening, it waits
// for events too.
func (s *side) ask(requests []api.Message, listening bool) exchange {
	answers, events, err := s.exchange(requests)
	if err == nil && listening {
		var late []received
		if late, err = s.w.quiet(calm); err != nil {
			err = fmt.Errorf("%w: %w", errDied, err)
		}
		events = append(events, late...)
	}
	return exchange{answers, events, err}
}

func (s *side) exchange(requests []api.Message) (answers [][]received, events []received, err error) {
	var out []byte
	first := s.w.context + 1
	for _, m := range requests {
		wire, err := s.encode(m)
		if err != nil {
			return nil, nil, err
		}
		out, _ = s.w.address(out, wire)
	}
	ping, err := s.w.encode(&memclnt.ControlPing{})
	if err != nil {
		return nil, nil, err
	}
	out, fence := s.w.address(out, ping)
	answers = make([][]received, len(requests))
	if _, err := s.w.conn.Write(out); err != nil {
		return answers, nil, fmt.Errorf("%w: %w", errDied, err)
	}
	for {
		r, context, err := s.w.hear(hung)
		if err != nil {
			return answers, events, fmt.Errorf("%w: %w", errDied, err)
		}
		switch i := int(context - first); {
		case r.GetMessageType() == api.EventMessage:
			events = append(events, r)
		case context == fence:
			return answers, events, nil
		case i >= 0 && i < len(answers):
			answers[i] = append(answers[i], r)
		}
	}
}

// hung is how long a VPP does not answer that never will: a busy machine may keep one waiting for
// longer than a wire has patience.
const hung = 6 * patience

var (
	errDied  = errors.New("no more answers")
	errAlone = errors.New("to be asked one by one, to see which request it was")
)

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
