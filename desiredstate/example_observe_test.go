// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
)

// house is one of many lamps, for many hands at once.
type house struct {
	mu    sync.Mutex
	lamps map[uint32]Lamp
}

// kind is [Lamps] behind a lock; fail may refuse to make or change one.
func (h *house) kind(fail func(Lamp) error) *desiredstate.Kind[Lamp] {
	h.lamps = map[uint32]Lamp{}
	k := Lamps(h.lamps)
	dump, update, remove := k.Dump, k.Update, k.Delete
	k.Dump = func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[Lamp], error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		return dump(ctx, v)
	}
	next := uint32(0)
	k.Create = func(_ context.Context, _ *desiredstate.View, want Lamp) (uint32, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if err := fail(want); err != nil {
			return 0, err
		}
		next++
		h.lamps[next] = want
		return next, nil
	}
	k.Update = func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Lamp], want Lamp) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if err := fail(want); err != nil {
			return err
		}
		return update(ctx, v, have, want)
	}
	k.Delete = func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Lamp]) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		return remove(ctx, v, have)
	}
	return k
}

// A program that makes ten thousand objects says how far it is.
func ExampleEngine_observe() {
	var h house
	e := desiredstate.New(h.kind(func(Lamp) error { return nil }))
	want := make([]desiredstate.Object, 10_000)
	for i := range want {
		want[i] = Lamp{fmt.Sprint("lamp", i), 25}
	}
	var mu sync.Mutex
	done := 0
	e.Observe = func(ev desiredstate.Event) { // from many goroutines: quick, and safe for that
		mu.Lock()
		defer mu.Unlock()
		if ev.Type == desiredstate.Done {
			if done++; done%2500 == 0 {
				fmt.Printf("%d of %d\n", done, len(want))
			}
		}
	}
	report, err := e.Ensure(context.Background(), want...)
	fmt.Println(report.Changed(), "made, error:", err)

	// Output:
	// 2500 of 10000
	// 5000 of 10000
	// 7500 of 10000
	// 10000 of 10000
	// 10000 made, error: <nil>
}

// Logs and metrics are made of events; Trace has a span around each thing that is done to the
// target. Several observers are told one after the other.
func ExampleObservers() {
	var h house
	e := desiredstate.New(h.kind(func(l Lamp) error {
		if l.Watts > 1000 {
			return errors.New("the fuse blows")
		}
		return nil
	}))
	e.Parallel = 1 // so that the log is the same each time

	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	count, spans := map[string]int{}, 0 // a real program's are metrics, and safe for concurrent use
	e.Observe = desiredstate.Observers(
		func(ev desiredstate.Event) {
			switch ev.Type {
			case desiredstate.Done:
				log.Info("done", "action", ev.Action, "object", ev.Key)
			case desiredstate.Failed:
				log.Error("failed", "action", ev.Action, "object", ev.Key, "err", ev.Err)
			}
		},
		func(ev desiredstate.Event) { count[string(ev.Type)]++ },
	)
	e.Trace = func(ctx context.Context, _ desiredstate.Action, _ desiredstate.Key) (context.Context, func(error)) {
		began := time.Now()
		return ctx, func(error) {
			if time.Since(began) >= 0 {
				spans++
			}
		}
	}
	_, err := e.Ensure(context.Background(), Lamp{"hall", 25}, Lamp{"stage", 5000})
	fmt.Println(count["done"], "done,", count["failed"], "failed,", spans, "spans")
	fmt.Println("error:", err)

	// Output:
	// level=INFO msg=done action=create object=lamp/hall
	// level=ERROR msg=failed action=create object=lamp/stage err="the fuse blows"
	// 1 done, 1 failed, 2 spans
	// error: create lamp/stage: the fuse blows
}

// All of a plan or nothing: at the first failure what was done is undone, and looked at.
func ExampleEngine_Commit() {
	ctx := context.Background()
	var h house
	fuse := false
	e := desiredstate.New(h.kind(func(l Lamp) error {
		if fuse && l.Name == "stage" {
			return errors.New("the fuse blows")
		}
		return nil
	}))
	e.Parallel = 1
	if _, err := e.Ensure(ctx, Lamp{"hall", 25}); err != nil {
		panic(err)
	}

	fuse = true
	plan, err := e.Plan(ctx, Lamp{"hall", 60}, Lamp{"porch", 40}, Lamp{"stage", 500})
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	_, err = e.Commit(ctx, plan)
	var failed *desiredstate.CommitError
	if errors.As(err, &failed) {
		fmt.Println("because:", failed.Err)
		fmt.Println("as before:", failed.Restored)
		fmt.Println("not as before:", failed.Differs)
	}
	for _, l := range h.lamps {
		fmt.Println(l)
	}

	// Output:
	// ~ lamp/hall
	//       Watts: 25 -> 60
	// + lamp/porch
	// + lamp/stage
	// 2 to create, 1 to update
	// because: create lamp/stage: the fuse blows
	// as before: [lamp/hall lamp/porch lamp/stage]
	// not as before: []
	// {hall 25}
}

// What two engines of one connection know, both know: the second has the handles of what the
// first has just made, without reading.
func ExampleNewTarget() {
	ctx := context.Background()
	var h house
	k := h.kind(func(Lamp) error { return nil })
	k.Target = desiredstate.NewTarget() // of a connection: vppnet.Conn has one
	a, b := desiredstate.New(k), desiredstate.New(k)
	_, err := a.Ensure(ctx, Lamp{"hall", 25})
	fmt.Println(err)
	fmt.Println(b.ID(Lamp{Name: "hall"}.Key()))

	// Output:
	// <nil>
	// 1 <nil>
}

// A component that is made anew with other options closes what it had, or the target would have
// two kinds of one name that are not the same.
func ExampleEngine_Close() {
	ctx := context.Background()
	var h house
	on := desiredstate.NewTarget()
	component := func(most int) *desiredstate.Engine {
		k := h.kind(func(Lamp) error { return nil })
		k.Target, k.Variant = on, most
		k.Check = func(_ *desiredstate.View, l Lamp) error {
			if l.Watts > most {
				return fmt.Errorf("%d W are too much here", l.Watts)
			}
			return nil
		}
		return desiredstate.New(k)
	}
	e := component(40)
	_, err := e.Ensure(ctx, Lamp{"hall", 60})
	fmt.Println(err)
	e.Close()
	_, err = component(100).Ensure(ctx, Lamp{"hall", 60})
	fmt.Println(err)

	// Output:
	// blocked lamp/hall: invalid: 60 W are too much here
	// <nil>
}
