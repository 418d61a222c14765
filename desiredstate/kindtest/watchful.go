// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"context"
	"fmt"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
)

// Watchful is the law that who reads again finds what one finds who has never read: nothing
// that others of our name have done meanwhile is taken for what was there before. A kind whose
// Dump may find the target unchanged is held to it; the memory of one that is Unverified is its own.
func Watchful[S desiredstate.Object](ctx context.Context, w World[S], all ...S) error {
	if _, err := w.begin(ctx); err != nil || w.Kind.Unverified {
		return err
	}
	e := w.reopened().engine() // which wants nothing: who wants knows what the target does not show
	look := func(when string) error {
		for range 2 { // once for what is new, and once for what is not
			before, err := inventory(ctx, w.reopened().engine())
			if err != nil {
				return err
			}
			e.Forget()
			again, err := inventory(ctx, e)
			if err != nil {
				return err
			}
			if again == before {
				continue
			}
			after, err := inventory(ctx, w.reopened().engine())
			if err != nil {
				return err
			}
			if again != after { // a lifetime may have gone on
				return fmt.Errorf("%s, who reads again finds\n%sand who reads for the first time\n%s", when, again, after)
			}
		}
		return nil
	}
	other := w.reopened().engine()
	if err := look("at first"); err != nil {
		return err
	}
	for _, s := range all {
		if _, err := other.Ensure(ctx, s); err != nil {
			return err
		}
		if err := look(fmt.Sprintf("with %+v", s)); err != nil {
			return err
		}
	}
	if _, err := other.Remove(ctx, all[0].Key()); err != nil {
		return err
	}
	return look("when it has gone")
}

// reopened is the target, as another program sees it.
func (w World[S]) reopened() World[S] {
	if w.Reopen == nil {
		return w
	}
	return w.Reopen()
}

// inventory is all that an engine finds, but for handles: these may be a connection's own.
func inventory(ctx context.Context, e *desiredstate.Engine) (string, error) {
	found, err := e.Found(ctx)
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %+v foreign=%t broken=%q\n", f.Key, f.Spec, f.Foreign, f.Broken)
	}
	return b.String(), err
}
