// SPDX-License-Identifier: Apache-2.0

package kindrig

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A Contest is about objects that are made and taken away, by an engine, and by a hand that sends the
// same messages blindly.
type Contest struct {
	VPP      []vpptest.Option
	Kinds    func(*vppnet.Conn) []desiredstate.AnyKind
	Base     []desiredstate.Object // what is there all the time, and by hand: Before
	Before   []api.Message
	Want     []desiredstate.Object
	Add, Del []api.Message
}

// OnLoopbacks is a Contest about what each of so many loopbacks has: an object, and how it is made and
// taken away by hand.
func OnLoopbacks(n int, kinds func(*vppnet.Conn) []desiredstate.AnyKind, each func(name string, i interface_types.InterfaceIndex) (want desiredstate.Object, add, del api.Message)) Contest {
	x := Contest{Kinds: kinds}
	for i := range n {
		name := fmt.Sprint("lo", i)
		want, add, del := each(name, interface_types.InterfaceIndex(i+1))
		x.Base, x.Before = append(x.Base, vppnet.Loopback{Name: name}), append(x.Before, &interfaces.CreateLoopback{})
		x.Want, x.Add, x.Del = append(x.Want, want), append(x.Add, add), append(x.Del, del)
	}
	return x
}

// Race measures both, for each object.
func Race(b *testing.B, x Contest) {
	each := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(2*len(x.Want)), "ns/object")
	}
	b.Run("engine", func(b *testing.B) {
		e := Engine(x.Kinds(Dial(b, vpptest.New(b, x.VPP...).Socket(), "me"))...)
		_, err := e.Sync(b.Context(), x.Base...)
		require.NoError(b, err)
		for b.Loop() {
			for _, w := range [][]desiredstate.Object{append(x.Want, x.Base...), x.Base} {
				r, err := e.Sync(b.Context(), w...)
				require.NoError(b, err)
				require.Equal(b, len(x.Want), r.Changed())
			}
		}
		each(b)
	})
	b.Run("hand", func(b *testing.B) {
		h := NewHand(b, vpptest.New(b, x.VPP...).Socket())
		h.Ask(b, x.Before...)
		for b.Loop() {
			h.Ask(b, x.Add...)
			h.Ask(b, x.Del...)
		}
		each(b)
	})
}

// Stages measures how so many objects are made, found as they are, and taken away: the time, and what is
// sent if that is counted, for each object.
func Stages(b *testing.B, many int, sent func() uint64, create, read, remove func()) {
	per := func(what string, do func()) {
		before := uint64(0)
		if sent != nil {
			before = sent()
		}
		began := time.Now()
		do()
		b.ReportMetric(float64(time.Since(began))/float64(many), "ns/"+what)
		if sent != nil {
			b.ReportMetric(float64(sent()-before), "messages/"+what)
		}
	}
	for b.Loop() {
		per("create", create)
		per("read", read)
		per("delete", remove)
	}
}

// EngineStages has an engine go through Stages with these objects; what they hang on, the base, is there.
func EngineStages(b *testing.B, e *desiredstate.Engine, sent func() uint64, base, all []desiredstate.Object) {
	want := append(base[:len(base):len(base)], all...)
	sync := func(changed int, want []desiredstate.Object) {
		r, err := e.Sync(b.Context(), want...)
		require.NoError(b, err)
		require.Equal(b, changed, r.Changed())
	}
	Stages(b, len(all), sent,
		func() { sync(len(all), want) },
		func() { e.Forget(); sync(0, want) },
		func() { sync(len(all), base) })
}
