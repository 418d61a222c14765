// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
)

// Ask sends requests, all of them before it reads the first answer, and returns the
// answers in order; then a control ping, whose answer ends them. Much can only be
// read interface by interface; like this, that costs one round trip. A request may
// have any number of answers. What they say of success is not looked at.
func Ask(ctx context.Context, c *Conn, requests ...api.Message) (answers []api.Message, err error) {
	if len(requests) == 0 {
		return nil, nil
	}
	s, err := c.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, m := range requests {
		if err := s.SendMsg(m); err != nil {
			return nil, err
		}
	}
	if err := s.SendMsg(&memclnt.ControlPing{}); err != nil {
		return nil, err
	}
	for {
		m, err := s.RecvMsg()
		if err != nil {
			return nil, err
		}
		if _, end := m.(*memclnt.ControlPingReply); end {
			return answers, nil
		}
		answers = append(answers, m)
	}
}

// AskEach is [Ask] for requests that have one answer each, all of one type.
func AskEach[M api.Message](ctx context.Context, c *Conn, requests ...api.Message) ([]M, error) {
	all, err := Ask(ctx, c, requests...)
	if err != nil {
		return nil, err
	}
	if len(all) != len(requests) {
		return nil, fmt.Errorf("%w: %d answers to %d requests %s", ErrUnexpectedReply, len(all), len(requests), requests[0].GetMessageName())
	}
	return As[M](all)
}

// As is all as what it should be.
func As[M api.Message](all []api.Message) ([]M, error) {
	out := make([]M, len(all))
	for i, m := range all {
		var ok bool
		if out[i], ok = m.(M); !ok {
			return nil, fmt.Errorf("%w: %s", ErrUnexpectedReply, m.GetMessageName())
		}
	}
	return out, nil
}
