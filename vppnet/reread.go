// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
)

// Reread makes a kind's Dump cheap for as long as VPP answers just what it answered the last
// time: nothing is decoded then, and the answer is desiredstate.ErrUnchanged. VPP is asked
// the same as ever, once: from the first answer that differs on, dump works with what has
// come.
//
// It is for what can be many. What dump asks and returns has to follow from what VPP answers
// to its dumps (or Asks) and from what it looks up in its View, and from nothing else. A
// reading in which something was invoked is never taken for the next one.
func Reread[S desiredstate.Object](
	c *Conn, dump func(context.Context, *desiredstate.View) ([]desiredstate.Actual[S], error),
) func(context.Context, *desiredstate.View) ([]desiredstate.Actual[S], error) {
	return func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[S], error) {
		t := &transcript{}
		defer t.drop()
		if last, ok := v.Kept().([]heard); ok {
			if same, err := t.replay(ctx, c, last); err != nil {
				return nil, err
			} else if same {
				return nil, desiredstate.ErrUnchanged
			}
		}
		found, err := dump(context.WithValue(ctx, transcriptKey{}, t), v)
		if err == nil && t.whole() {
			v.Keep(slices.Clip(t.heard))
		}
		return found, err
	}
}

// RereadUnless is Reread, unless something besides VPP has a say in what dump returns, such as
// claims: who claims may claim something else by the next reading.
func RereadUnless[S desiredstate.Object](
	judged bool, c *Conn, dump func(context.Context, *desiredstate.View) ([]desiredstate.Actual[S], error),
) func(context.Context, *desiredstate.View) ([]desiredstate.Actual[S], error) {
	if judged {
		return dump
	}
	return Reread(c, dump)
}
