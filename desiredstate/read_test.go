// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// slowly has the next reading after slow is set say that it has begun, find more than there is, and wait until
// it is to finish.
func slowly(k *ds.Kind[leaf], more ...ds.Actual[leaf]) (slow *atomic.Bool, begun, finish chan struct{}) {
	dump := k.Dump
	slow, begun, finish = new(atomic.Bool), make(chan struct{}, 1), make(chan struct{})
	k.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[leaf], error) {
		all, err := dump(ctx, v)
		if slow.Swap(false) {
			all = append(all, more...)
			begun <- struct{}{}
			<-finish
		}
		return all, err
	}
	return slow, begun, finish
}

// What is removed while a slow reading still finds it stays removed: its handle
// may be another's by then.
func TestRemovedDuringAReading(t *testing.T) {
	tree := newTree(leaf{Name: hub}, leaf{Name: "a"}, leaf{Name: "b"})
	k := tree.kind()
	slow, begun, finish := slowly(k)
	hold, deleting := make(chan struct{}), make(chan struct{})
	remove := k.Delete
	k.Delete = func(ctx context.Context, v *ds.View, have ds.Actual[leaf]) error {
		close(deleting)
		<-hold
		return remove(ctx, v, have)
	}
	e := ds.New(k)
	_, err := e.Found(t.Context())
	require.NoError(t, err)

	// The removal is planned before the reading begins, and done before it ends.
	removed := make(chan error, 1)
	go func() {
		_, err := e.Remove(t.Context(), leafKey("a"))
		removed <- err
	}()
	<-deleting
	slow.Store(true)
	e.Forget()
	read := make(chan []ds.Found, 1)
	go func() {
		all, _ := e.Found(t.Context())
		read <- all
	}()
	<-begun
	close(hold)
	require.NoError(t, <-removed)
	close(finish)
	for _, f := range <-read {
		require.NotEqual(t, leafKey("a"), f.Key)
	}
	_, err = e.ID(leafKey("a"))
	require.ErrorIs(t, err, ds.ErrMissing)
}

// A slow reading finds what is being made under the name that it has before it is marked as
// ours. That name is for a while beside the real one, and takes nothing along when it goes.
func TestReadWhileItIsMade(t *testing.T) {
	tree := newTree(leaf{Name: hub})
	k := tree.kind()
	slow, begun, finish := slowly(k, ds.Actual[leaf]{Spec: leaf{Name: "vpp:2"}, ID: 2, Foreign: true})
	hold, making := make(chan struct{}), make(chan struct{}, 1)
	makes := k.Create
	k.Create = func(ctx context.Context, v *ds.View, want leaf) (uint32, error) {
		making <- struct{}{}
		<-hold
		if _, ok := v.Owned("leaf", 1); !ok {
			t.Error("the hub has no name")
		}
		if name, ours := v.Owned("leaf", 2); want.Name != "a" && (name != "a" || !ours) {
			t.Errorf("to %s, 2 is %s, ours: %v", want.Name, name, ours)
		}
		return makes(ctx, v, want)
	}
	e := ds.New(k)
	_, err := e.Found(t.Context())
	require.NoError(t, err)

	ensured := make(chan error, 1)
	ensure := func(name string) {
		_, err := e.Ensure(t.Context(), leaf{Name: name})
		ensured <- err
	}
	go ensure("a")
	<-making
	slow.Store(true)
	e.Forget()
	read := make(chan error, 1)
	go func() {
		_, err := e.Found(t.Context())
		read <- err
	}()
	<-begun
	close(hold)
	require.NoError(t, <-ensured)
	close(finish)
	require.NoError(t, <-read)
	go ensure("b")
	<-making
	require.NoError(t, <-ensured)

	e.Forget()
	_, err = e.Found(t.Context())
	require.NoError(t, err)
	go ensure("c")
	<-making
	require.NoError(t, <-ensured)
}

// What was just made is as the next reading finds it, and what another hand changed
// is not.
func TestOnlyWhatChangedHasDrifted(t *testing.T) {
	x := newTarget()
	e := engine(x)
	var drifted []string
	e.Observe = func(ev ds.Event) {
		if ev.Type == ds.Drift {
			drifted = append(drifted, ev.Key.Name)
		}
	}
	want := []ds.Object{Box{Name: "a"}, Ball{Name: "b", Needs: "a"}, Box{Name: "c"}}
	again := func() {
		t.Helper()
		e.Forget()
		_, err := e.Sync(t.Context(), want...)
		require.NoError(t, err)
	}
	again()
	again()
	require.Empty(t, drifted)
	x.by(func() {
		for id, i := range x.items {
			switch i.name {
			case "b":
				i.color = 5
			case "c":
				x.lose(id)
			}
		}
	})
	again()
	require.Equal(t, []string{"b", "c"}, drifted)
	again()
	require.Len(t, drifted, 2)
}

// Of two things by one name ours is the one that is meant, whichever is listed first.
func TestOursBeforeANamesake(t *testing.T) {
	tree := newTree(leaf{Name: hub}, leaf{Name: "a"})
	k := tree.kind()
	dump := k.Dump
	k.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[leaf], error) {
		all, err := dump(ctx, v)
		return append([]ds.Actual[leaf]{{Spec: leaf{Name: "a"}, ID: 77, Foreign: true}}, all...), err
	}
	e := ds.New(k)
	_, err := e.Found(t.Context())
	require.NoError(t, err)
	id, err := e.ID(leaf{Name: "a"}.Key())
	require.NoError(t, err)
	require.EqualValues(t, 2, id)
	name, ok := e.Name("leaf", 2)
	require.True(t, ok)
	require.Equal(t, "a", name)
}
