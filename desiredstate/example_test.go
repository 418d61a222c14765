// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
)

// Lamp is an object: plain data, and what the engine has to know of it.
type Lamp struct {
	Name  string
	Watts int
}

func (l Lamp) Key() desiredstate.Key    { return desiredstate.Key{Space: "lamp", Name: l.Name} }
func (l Lamp) Deps() []desiredstate.Key { return nil }
func (l Lamp) Validate() error {
	if l.Watts <= 0 {
		return errors.New("watts: want more than 0")
	}
	return nil
}

// Lamps is the kind of lamps in a house, in which they have numbers.
func Lamps(house map[uint32]Lamp) *desiredstate.Kind[Lamp] {
	return &desiredstate.Kind[Lamp]{
		Name: "lamp",
		Dump: func(context.Context, *desiredstate.View) ([]desiredstate.Actual[Lamp], error) {
			var all []desiredstate.Actual[Lamp]
			for id, l := range house {
				all = append(all, desiredstate.Actual[Lamp]{Spec: l, ID: id})
			}
			return all, nil
		},
		Create: func(_ context.Context, _ *desiredstate.View, want Lamp) (uint32, error) {
			id := uint32(len(house) + 1)
			for house[id] != (Lamp{}) {
				id++
			}
			house[id] = want
			return id, nil
		},
		Update: func(_ context.Context, _ *desiredstate.View, have desiredstate.Actual[Lamp], want Lamp) error {
			house[have.ID] = want
			return nil
		},
		Delete: func(_ context.Context, _ *desiredstate.View, have desiredstate.Actual[Lamp]) error {
			delete(house, have.ID)
			return nil
		},
	}
}

// A kind teaches an engine what it can work on. Its plan can be looked at before
// it is applied; when all is as wanted, there is nothing to do.
func Example() {
	ctx := context.Background()
	house := map[uint32]Lamp{1: {"attic", 40}, 2: {"cellar", 60}, 3: {"kitchen", 60}}
	engine := desiredstate.New(Lamps(house))
	engine.Parallel = 1 // a map is not for many hands at once

	want := []desiredstate.Object{Lamp{"cellar", 60}, Lamp{"hall", 25}, Lamp{"kitchen", 75}, Lamp{"porch", -1}}
	plan, err := engine.Plan(ctx, want...)
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	_, err = engine.Apply(ctx, plan)
	fmt.Println("error:", err)

	plan, err = engine.Plan(ctx, want[:3]...)
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)

	// Output:
	// - lamp/attic
	// + lamp/hall
	// ~ lamp/kitchen
	//       Watts: 60 -> 75
	// ? lamp/porch: invalid: watts: want more than 0
	// 1 to create, 1 to update, 1 to delete, 1 blocked, 1 as wanted
	// error: blocked lamp/porch: invalid: watts: want more than 0
	// 3 as wanted
}

// A store holds what is wanted while an engine runs and keeps the target so.
func ExampleEngine_Run() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	house := map[uint32]Lamp{}
	engine := desiredstate.New(Lamps(house))
	engine.Parallel = 1

	store := desiredstate.NewStore()
	ended := make(chan error)
	go func() { ended <- engine.Run(ctx, store, 0) }()

	cellar := Lamp{"cellar", 60}
	if err := store.Put(cellar); err != nil {
		panic(err)
	}
	fmt.Println(store.Wait(ctx, cellar.Key()))
	status, _ := store.Status(cellar.Key())
	fmt.Println(cellar.Key(), status.State, "as number", status.ID)

	stop()
	fmt.Println(<-ended)
	fmt.Println(house)
	// Output:
	// <nil>
	// lamp/cellar applied as number 1
	// context canceled
	// map[1:{cellar 60}]
}
