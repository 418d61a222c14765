// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// sessions sees to it that VPP judges sessions again when sets or bindings change. By
// itself it lets them live on past any rule, or ends all of an interface; which one it
// does is a setting of the plugin, off in a VPP that starts, for which there is no
// message but the CLI's.
//
// What then ends a session is the next packet from the side that began it: VPP compares
// the age of the session with that of the rules, and asks these. Nothing is to be done for
// single sessions or interfaces, and nothing to be remembered.
//
// Safe for concurrent use.
type sessions struct {
	c      *vppnet.Conn
	judged atomic.Bool
}

// judgeAnew is called before sets that can be bound, or bindings, are changed. After it was
// done once on a connection it costs nothing.
func (s *sessions) judgeAnew(ctx context.Context) error {
	if s.judged.Load() {
		return nil
	}
	done, err := s.c.Turn(ctx, desiredstate.Key{Space: "acl-sessions", Name: "all"})
	if err != nil {
		return err
	}
	defer done()
	if s.judged.Load() {
		return nil
	}
	says, err := s.cli(ctx, "show acl-plugin sessions")
	if err != nil {
		return err
	}
	if !strings.Contains(says, "Reclassify sessions: 1") {
		if err := s.turnOn(ctx); err != nil {
			return err
		}
	}
	s.judged.Store(true)
	return nil
}

// turnOn also binds once more, as it is, what was bound before: VPP counts changes by
// interface and direction, and where it has counted none since the setting is on it would
// take the sessions of one direction for the other's, and answers for what is denied.
func (s *sessions) turnOn(ctx context.Context) error {
	if _, err := s.cli(ctx, "set acl-plugin reclassify-sessions 1"); err != nil {
		return err
	}
	lists, err := vppnet.Collect(acl.NewServiceClient(s.c).ACLInterfaceListDump(ctx, &acl.ACLInterfaceListDump{SwIfIndex: everywhere}))
	var again []api.Message
	for _, d := range lists {
		if len(d.Acls) > 0 {
			again = append(again, &acl.ACLInterfaceSetACLList{SwIfIndex: d.SwIfIndex, Count: uint8(len(d.Acls)), NInput: d.NInput, Acls: d.Acls})
		}
	}
	if err == nil && len(again) > 0 { // what is refused is of an interface that has gone
		_, err = vppnet.AskEach[*acl.ACLInterfaceSetACLListReply](ctx, s.c, again...)
	}
	if err != nil { // half done: so it is done again
		_, _ = s.cli(context.WithoutCancel(ctx), "set acl-plugin reclassify-sessions 0")
	}
	return err
}

func (s *sessions) cli(ctx context.Context, command string) (string, error) {
	r, err := vlib.NewServiceClient(s.c).CliInband(ctx, &vlib.CliInband{Cmd: command})
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	return r.Reply, nil
}
