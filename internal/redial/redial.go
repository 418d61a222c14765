// SPDX-License-Identifier: Apache-2.0

// Package redial is how programs get at a server that comes and goes: they wait for it, and begin
// anew when it has gone.
package redial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Dial tries until it is connected, as long as ctx allows, with pauses that grow up to a second. What is
// hopeless ends it at once. A try that failed is told to report, unless that is nil, and how long the
// next one waits.
func Dial[C any](ctx context.Context, try func(context.Context) (C, error), hopeless func(error) bool, report func(error, time.Duration)) (C, error) {
	retry := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(20*time.Millisecond),
		backoff.WithMaxInterval(time.Second),
		backoff.WithMaxElapsedTime(0))
	var last error
	c, err := backoff.RetryNotifyWithData(func() (C, error) {
		c, err := try(ctx)
		switch {
		case err == nil:
		case late(err) && last != nil:
			err = last // the dialer's clock ran out before the context's
		case !late(err) && hopeless(err):
			err = backoff.Permanent(err)
		case ctx.Err() == nil:
			last = err
		}
		return c, err
	}, backoff.WithContext(retry, ctx), report)
	if err != nil && ctx.Err() != nil && last != nil {
		err = fmt.Errorf("%w, last: %w", ctx.Err(), last)
	}
	return c, err
}

// late says that time ran out: in a call that has a deadline, or before it was made.
func late(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// steady is how long a connection has to live for Follow to be in no doubt about it: else the server may
// be dying of what it is told, and is given time.
const steady = 10 * time.Second

// Follow works with one connection after the other: it dials, calls use, and begins anew when that
// fails, after a time that grows up to five seconds and is told to report, unless that is nil. It returns
// nil when use does, the error of ctx when that ends, and that of dial.
func Follow[C any](ctx context.Context, dial func(context.Context) (C, error), use func(context.Context, C) error, report func(error, time.Duration)) error {
	pause := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(5*time.Second),
		backoff.WithMaxElapsedTime(0))
	for {
		c, err := dial(ctx)
		if err == nil {
			began := time.Now()
			if err = use(ctx, c); err == nil && ctx.Err() == nil {
				return nil
			}
			if time.Since(began) > steady {
				pause.Reset()
			}
		} else if ctx.Err() == nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := pause.NextBackOff()
		if report != nil {
			report(err, wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
