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
//
// Nobody who comes later can tell that from what VPP shows, and another client may rely on the
// setting as soon as it is on. So all is sent before any answer is heard: VPP does all of it, also
// for who dies meanwhile, and nothing is to be taken back.
func turnOn(ctx context.Context, c *vppnet.Conn) error {
	lists, err := vppnet.Collect(acl.NewServiceClient(c).ACLInterfaceListDump(ctx, &acl.ACLInterfaceListDump{SwIfIndex: everywhere}))
	if err != nil {
		return err
	}
	setting := &vlib.CliInband{Cmd: "set acl-plugin reclassify-sessions 1"}
	all := []api.Message{setting}
	for _, d := range lists {
		if len(d.Acls) > 0 {
			all = append(all, &acl.ACLInterfaceSetACLList{SwIfIndex: d.SwIfIndex, Count: uint8(len(d.Acls)), NInput: d.NInput, Acls: d.Acls})
		}
	}
	ctx, cancel := shared.Outlive(ctx)
	defer cancel()
	answers, err := vppnet.AskEach[api.Message](ctx, c, all...)
	if err == nil { // what else is refused is of an interface that has gone
		if r, ok := answers[0].(*vlib.CliInbandReply); ok && r.Retval != 0 {
			err = &vppnet.Error{Message: setting.GetMessageName(), Retval: r.Retval, Reply: r, Err: api.RetvalToVPPApiError(r.Retval)}
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", setting.Cmd, err)
	}
	return nil
}

func cli(ctx context.Context, c *vppnet.Conn, command string) (string, error) {
	r, err := vlib.NewServiceClient(c).CliInband(ctx, &vlib.CliInband{Cmd: command})
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	return r.Reply, nil
}
