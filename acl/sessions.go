// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"fmt"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// VPP is to judge sessions again when sets or bindings change. By itself it lets them live on
// past any rule that changes, and ends all of an interface whose sets are others; which it does
// is a setting of the plugin, off in a VPP that starts, for which there is no message but the
// CLI's.
//
// What then ends a session is the next packet from the side that began it: VPP compares
// the age of the session with that of the rules, and asks these. Nothing is to be done for
// single sessions or interfaces, and nothing to be remembered.

// judgeAnew is called before sets that can be bound, or bindings, are changed. After it was
// done once on a connection it costs nothing.
func judgeAnew(ctx context.Context, c *vppnet.Conn) error {
	return c.Once(ctx, desiredstate.Key{Space: "acl-sessions", Name: "all"}, func() error {
		says, err := cli(ctx, c, "show acl-plugin sessions")
		if err != nil || strings.Contains(says, "Reclassify sessions: 1") {
			return err
		}
		return turnOn(ctx, c)
	})
}

// turnOn also binds once more, as it is, what was bound before: VPP counts changes by
// interface and direction, and where it has counted none since the setting is on it would
// take the sessions of one direction for the other's, and answers for what is denied.
func turnOn(ctx context.Context, c *vppnet.Conn) error {
	if _, err := cli(ctx, c, "set acl-plugin reclassify-sessions 1"); err != nil {
		return err
	}
	lists, err := vppnet.Collect(acl.NewServiceClient(c).ACLInterfaceListDump(ctx, &acl.ACLInterfaceListDump{SwIfIndex: everywhere}))
	var again []api.Message
	for _, d := range lists {
		if len(d.Acls) > 0 {
			again = append(again, &acl.ACLInterfaceSetACLList{SwIfIndex: d.SwIfIndex, Count: uint8(len(d.Acls)), NInput: d.NInput, Acls: d.Acls})
		}
	}
	if err == nil && len(again) > 0 { // what is refused is of an interface that has gone
		_, err = vppnet.AskEach[*acl.ACLInterfaceSetACLListReply](ctx, c, again...)
	}
	if err != nil { // half done: so it is done again
		ctx, cancel := shared.Outlive(ctx)
		defer cancel()
		_, _ = cli(ctx, c, "set acl-plugin reclassify-sessions 0")
	}
	return err
}

func cli(ctx context.Context, c *vppnet.Conn, command string) (string, error) {
	r, err := vlib.NewServiceClient(c).CliInband(ctx, &vlib.CliInband{Cmd: command})
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	return r.Reply, nil
}
