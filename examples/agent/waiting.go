// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

// Nobody waits in silence: each says for what, every few seconds, and why it is not there.

// newsOf says of an error whether to say it: it is another one than a second before, or the same after a while.
func newsOf(pause time.Duration) func(error) bool {
	said, last := "", time.Time{}
	return func(err error) bool {
		if since := time.Since(last); since < time.Second || err.Error() == said && since < pause {
			return false
		}
		said, last = err.Error(), time.Now()
		return true
	}
}

// patient says what is waited for, every few seconds.
func patient(to io.Writer) func(error) {
	news := newsOf(3 * time.Second)
	return func(err error) {
		if news(err) {
			fmt.Fprintf(to, "waiting: %v\n", err)
		}
	}
}

// waitedFor tries until ctx ends, and says every few seconds what it waits for.
func waitedFor[T any](ctx context.Context, errs io.Writer, what string, try func(context.Context) (T, error)) (T, error) {
	say := patient(errs)
	for {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		out, err := try(short)
		cancel()
		if err == nil {
			return out, nil
		}
		if ctx.Err() != nil {
			return out, fmt.Errorf("%s: %w", what, err)
		}
		say(fmt.Errorf("%s: %w", what, err))
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// dialVPP is vppnet.Dial, which says what it waits for.
func dialVPP(ctx context.Context, socket string, errs io.Writer) (*vppnet.Conn, error) {
	say := patient(errs)
	c, err := vppnet.Dial(ctx, socket, translate.Owner, vppnet.WithReport(func(err error, _ time.Duration) {
		say(fmt.Errorf("VPP at %s: %w", socket, err))
	}))
	return c, barred(err, socket)
}
