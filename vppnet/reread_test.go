// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vpe"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// seat is an interface and the table that it is in: what it takes two questions to tell, of
// which the second follows from what the first was answered.
type seat struct {
	Interface uint32
	Table     uint32
}

func (s seat) Key() desiredstate.Key {
	return desiredstate.Key{Space: "seat", Name: fmt.Sprint(s.Interface)}
}
func (seat) Deps() []desiredstate.Key { return nil }
func (seat) Validate() error          { return nil }

type seats struct {
	c      *vppnet.Conn
	looks  atomic.Int32 // how often answers were looked into
	invoke bool
}

func (k *seats) kind() *desiredstate.Kind[seat] {
	return &desiredstate.Kind[seat]{
		Target: k.c.Target(), Name: "seat", Dump: vppnet.Reread(k.c, k.dump),
		Messages: k.c.Uses(&interfaces.SwInterfaceDump{}, &interfaces.SwInterfaceGetTable{}, &vpe.ShowVersion{}, &memclnt.ControlPing{}),
		Create:   func(context.Context, *desiredstate.View, seat) (uint32, error) { panic("nothing is wanted") },
		Delete: func(context.Context, *desiredstate.View, desiredstate.Actual[seat]) error {
			panic("nothing is removed")
		},
	}
}

func (k *seats) dump(ctx context.Context, _ *desiredstate.View) (out []desiredstate.Actual[seat], err error) {
	k.looks.Add(1)
	if k.invoke {
		if _, err := vpe.NewServiceClient(k.c).ShowVersion(ctx, &vpe.ShowVersion{}); err != nil {
			return nil, err
		}
	}
	all, err := vppnet.Collect(interfaces.NewServiceClient(k.c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	if err != nil {
		return nil, err
	}
	var ask []api.Message
	for _, d := range all {
		ask = append(ask, &interfaces.SwInterfaceGetTable{SwIfIndex: d.SwIfIndex})
	}
	tables, err := vppnet.AskEach[*interfaces.SwInterfaceGetTableReply](ctx, k.c, ask...)
	for i, t := range tables {
		out = append(out, desiredstate.Actual[seat]{ID: uint32(all[i].SwIfIndex), Spec: seat{uint32(all[i].SwIfIndex), t.VrfID}})
	}
	return out, err
}

// What VPP answers as before is not looked into, and whatever it answers otherwise is; each
// question is asked once in either case.
func TestReread(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		var asked atomic.Int32
		c := dialVPP(t, socket, vppnet.WithTrace(func(vppnet.Trace) { asked.Add(1) }))
		k := &seats{c: c}
		e := desiredstate.New(k.kind())
		other := dialAs(t, "other", socket)
		other.Uses(&interfaces.CreateLoopback{}, &interfaces.DeleteLoopback{}, &interfaces.SwInterfaceSetTable{}, &ip.IPTableAddDelV2{})
		do := func(req, reply api.Message) { t.Helper(); require.NoError(t, other.Invoke(t.Context(), req, reply)) }
		read := func() (found []seat, looked bool) {
			t.Helper()
			asked.Store(0)
			before := k.looks.Load()
			e.Forget()
			all, err := e.Found(t.Context())
			require.NoError(t, err)
			for _, f := range all {
				found = append(found, f.Spec.(seat))
			}
			require.EqualValues(t, 3+len(found), asked.Load(), "a dump, a request for each interface, and a ping for either")
			return found, k.looks.Load() > before
		}
		changed := func(want ...seat) {
			t.Helper()
			found, looked := read()
			require.True(t, looked)
			require.Subset(t, found, want)
			for range 2 {
				again, looked := read()
				require.False(t, looked)
				require.Equal(t, found, again)
			}
		}
		changed()
		made := new(interfaces.CreateLoopbackReply)
		do(&interfaces.CreateLoopback{}, made)
		loop := uint32(made.SwIfIndex)
		changed(seat{loop, 0}) // the first answer is another
		do(&ip.IPTableAddDelV2{IsAdd: true, CreateMfib: true, Table: ip.IPTable{TableID: 7}}, new(ip.IPTableAddDelV2Reply))
		_, looked := read()
		require.False(t, looked, "nobody asks for tables")
		do(&interfaces.SwInterfaceSetTable{SwIfIndex: made.SwIfIndex, VrfID: 7}, new(interfaces.SwInterfaceSetTableReply))
		changed(seat{loop, 7}) // only the second is

		do(&interfaces.SwInterfaceSetTable{SwIfIndex: made.SwIfIndex}, new(interfaces.SwInterfaceSetTableReply))
		do(&ip.IPTableAddDelV2{Table: ip.IPTable{TableID: 7}}, new(ip.IPTableAddDelV2Reply))
		do(&interfaces.DeleteLoopback{SwIfIndex: made.SwIfIndex}, new(interfaces.DeleteLoopbackReply))
		changed()
		require.Zero(t, c.Stats().Queued)
		require.Zero(t, c.Stats().Streams)
	})
}

// A reading that has to do with more than dumps is never taken for the next one.
func TestRereadInvokes(t *testing.T) {
	k := &seats{c: dialVPP(t, vpptest.New(t).Socket()), invoke: true}
	e := desiredstate.New(k.kind())
	for n := range 3 {
		e.Forget()
		_, err := e.Found(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, n+1, k.looks.Load())
	}
}

// A connection that ends fails a reading that asks the same again, and none is believed.
func TestRereadFails(t *testing.T) {
	k := &seats{c: dialVPP(t, vpptest.New(t).Socket())}
	e := desiredstate.New(k.kind())
	_, err := e.Found(t.Context())
	require.NoError(t, err)
	require.NoError(t, k.c.Close())
	e.Forget()
	_, err = e.Found(t.Context())
	require.ErrorIs(t, err, vppnet.ErrClosed)
	require.EqualValues(t, 1, k.looks.Load())
}
