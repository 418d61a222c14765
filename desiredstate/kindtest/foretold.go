// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
)

// Foretold is the law that a dry run refuses as another owner's just what Ensure refuses so: the
// object is wanted on what a stranger has of the names of Base.
func Foretold[S desiredstate.Object](ctx context.Context, w World[S], s S) (err error) {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	other := w.Stranger()
	defer func() {
		_, left := other.engine().Sync(ctx)
		err = errors.Join(err, left)
	}()
	if _, err := other.begin(ctx); err != nil && !refused(err) {
		return fmt.Errorf("the stranger: %w", err)
	}
	e.Forget()
	found, err := e.Found(ctx)
	if err != nil {
		return err
	}
	theirs := map[string]string{}
	for _, b := range w.Base {
		for _, f := range found {
			if k := b.Key(); f.Foreign && f.Key.Space == k.Space && strings.HasSuffix(f.Key.Name, "/"+k.Name) {
				theirs[k.Name] = f.Key.Name
			}
		}
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

// renamed is an object in which all texts that are names are others, and whether there are any.
func renamed[S desiredstate.Object](s S, names map[string]string) (out S, any bool) {
	text, err := json.Marshal(s)
	if err != nil {
		return out, false
	}
	for name, to := range names {
		from, _ := json.Marshal(name)
		for _, before := range []string{":", "[", ","} {
			into, _ := json.Marshal(to)
			if old := before + string(from); strings.Contains(string(text), old) {
				text, any = []byte(strings.ReplaceAll(string(text), old, before+string(into))), true
			}
		}
	}
	return out, any && json.Unmarshal(text, &out) == nil
}
