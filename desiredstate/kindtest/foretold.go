// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
)

// Foretold is the law that a dry run refuses as another owner's just what Ensure refuses so: the
// object is wanted on what a stranger has of the names of Base.
func Foretold[S desiredstate.Object](ctx context.Context, w World[S], s S) (err error) {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	theirs, end, err := w.abroad(ctx, e)
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return err
	}
	abroad, ok := renamed(s, theirs)
	if !ok || abroad.Validate() != nil {
		return nil
	}
	p, err := e.Plan(ctx, abroad)
	if err != nil {
		return err
	}
	var said error
	for _, step := range p.Steps {
		if step.Key == abroad.Key() && step.Action == desiredstate.Block {
			said = step.Err
		}
	}
	r, _ := e.Ensure(ctx, abroad)
	made, _ := r.Of(abroad.Key())
	if errors.Is(said, desiredstate.ErrForeign) != errors.Is(made.Err, desiredstate.ErrForeign) {
		return fmt.Errorf("%+v: a plan and Ensure do not refuse the same: %w", abroad, errors.Join(said, made.Err))
	}
	_, err = e.Remove(ctx, abroad.Key())
	return err
}
