// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/vppnet"
)

// ask sends all of reqs before it reads the first answer, and returns the answers
// in order. Much of L3 can only be read interface by interface; like this, that
// costs one round trip.
func ask(ctx context.Context, c *vppnet.Conn, reqs []api.Message) (all []api.Message, err error) {
	if len(reqs) == 0 {
		return nil, nil
	}
	s, err := c.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, req := range append(reqs, &memclnt.ControlPing{}) {
		if err := s.SendMsg(req); err != nil {
			return nil, err
		}
	}
	for {
		m, err := s.RecvMsg()
		if err != nil {
			return nil, err
		}
		if _, end := m.(*memclnt.ControlPingReply); end {
			return all, nil
		}
		all = append(all, m)
	}
}

// answers is all as what it should be.
func answers[M api.Message](all []api.Message) ([]M, error) {
	out := make([]M, len(all))
	for i, m := range all {
		var ok bool
		if out[i], ok = m.(M); !ok {
			return nil, fmt.Errorf("%w: %s", vppnet.ErrUnexpectedReply, m.GetMessageName())
		}
	}
	return out, nil
}
