// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// Mode is how VPP learns that a queue has frames. The zero value leaves it as it is.
type Mode uint8

// By asking all the time, by an interrupt, or by one or the other, as it comes to more or less.
const (
	AsItIs Mode = iota
	Polling
	Interrupt
	Adaptive
)

var modes = []string{"", "polling", "interrupt", "adaptive"}

// String is the word for it.
func (m Mode) String() string {
	if int(m) < len(modes) {
		return modes[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// MarshalText is String.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what String wrote.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, word := range modes {
		if word == string(text) {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("mode %q: want polling, interrupt or adaptive", text)
}

// Queue says how a queue of a device is read. The zero value of Mode and Thread leaves that to
// VPP.
type Queue struct {
	Interface string
	Number    uint32 // from 0
	Mode      Mode
	Thread    Thread
}

// Thread is who reads: 0: whom VPP has chosen, n: the nth worker, from 1.
type Thread int

// MainThread is the one that does all that no worker does.
const MainThread Thread = -1

// mostThreads is how many VPP can have: it numbers them in 16 bits at most.
const mostThreads = 1<<16 - 1

// QueueKey is the key of a queue.
func QueueKey(iface string, number uint32) desiredstate.Key {
	return desiredstate.Key{Space: "rx-queue", Name: fmt.Sprintf("%s %d", iface, number)}
}

// Key is QueueKey(q.Interface, q.Number).
func (q Queue) Key() desiredstate.Key { return QueueKey(q.Interface, q.Number) }

// Deps lists the interface.
func (q Queue) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(q.Interface)}
}

// Validate checks name, mode and thread.
func (q Queue) Validate() error {
	switch {
	case int(q.Mode) >= len(modes):
		return fmt.Errorf("%v, which VPP does not have", q.Mode)
	case q.Thread < MainThread || q.Thread > mostThreads:
		return fmt.Errorf("thread %d: want MainThread, or a worker from 1 to %d", q.Thread, mostThreads)
	}
	return vppnet.CheckRef("interface", q.Interface)
}

// Memory is what each VPP was told, and how it was before. It outlives the Conn: keep one for as
// long as the program lives. The zero Memory is empty. Safe for concurrent use.
type Memory struct {
	told vppnet.Memory

	mu  sync.Mutex
	was map[place]Queue
}

type place struct {
	vpp   vppnet.Identity
	queue desiredstate.Key
}

// first is how a queue was read before VPP was told; is, if it was not told yet.
func (m *Memory) first(vpp vppnet.Identity, is Queue) Queue {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := place{vpp, is.Key()}
	if was, known := m.was[at]; known {
		return was
	}
	if m.was == nil {
		m.was = map[place]Queue{}
	}
	m.was[at] = is
	return is
}

func (m *Memory) forget(vpp vppnet.Identity, q Queue) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.was, place{vpp, q.Key()})
}

// Queues manages how queues are read (sw_interface_set_rx_mode, sw_interface_set_rx_placement).
// m remembers of which VPP was told. How these are read VPP shows (sw_interface_rx_placement_dump),
// so one that somebody changed is changed back. What is no longer wanted is as it was before VPP
// was told, as far as m knows.
//
// A device that cannot have a mode refuses it: af_packet is never adaptive.
func Queues(c *vppnet.Conn, m *Memory, claims ...vppnet.Claim) *desiredstate.Kind[Queue] {
	k := &queues{c: c, vpp: interfaces.NewServiceClient(c), m: m}
	kind := vppnet.Remembered(c, &m.told, iface.OnDevice(c, claims, &desiredstate.Kind[Queue]{
		Name:     "rx-queue",
		Messages: c.Uses(&interfaces.SwInterfaceSetRxMode{}, &interfaces.SwInterfaceSetRxPlacement{}, &interfaces.SwInterfaceRxPlacementDump{}, &memclnt.ControlPing{}),
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Queue], want Queue) error {
			return k.set(ctx, have.ID, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Queue]) error {
			err := k.set(ctx, have.ID, Queue{Interface: have.Spec.Interface, Number: have.Spec.Number})
			if err == nil {
				m.forget(c.VPP(), have.Spec)
			}
			return err
		},
	}, func(ctx context.Context, _ *desiredstate.View, id uint32, q Queue) error { return k.set(ctx, id, q) }))
	told := kind.Dump
	kind.Dump = func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[Queue], error) {
		known, err := told(ctx, v)
		if err != nil {
			return nil, err
		}
		return k.seen(ctx, known)
	}
	return kind
}

type queues struct {
	c   *vppnet.Conn
	vpp interfaces.RPCService
	m   *Memory
}

// decode is how a queue is read, with what a Queue calls it. VPP counts threads from the main
// one, and workers from the first.
func decode(d *interfaces.SwInterfaceRxPlacementDetails, name string) Queue {
	q := Queue{Interface: name, Number: d.QueueID, Mode: Mode(d.Mode), Thread: Thread(d.WorkerID)}
	if d.WorkerID == 0 {
		q.Thread = MainThread
	}
	return q
}

func (k *queues) read(ctx context.Context, id uint32, want Queue) (Queue, error) {
	all, err := vppnet.Collect(k.vpp.SwInterfaceRxPlacementDump(ctx, &interfaces.SwInterfaceRxPlacementDump{SwIfIndex: interface_types.InterfaceIndex(id)}))
	if err != nil {
		return Queue{}, err
	}
	for _, d := range all {
		if d.QueueID == want.Number {
			return decode(d, want.Interface), nil
		}
	}
	return Queue{}, fmt.Errorf("%w: interface %s has no queue %d: it has %d", desiredstate.ErrInvalid, want.Interface, want.Number, len(all))
}

// set sends what is otherwise than wanted; what want leaves open is to be as it was at first. It
// sees that the thread is the one that was meant: a VPP without workers takes the main thread for
// the first.
func (k *queues) set(ctx context.Context, id uint32, want Queue) error {
	is, err := k.read(ctx, id, want)
	if err != nil {
		return err
	}
	was := k.m.first(k.c.VPP(), is)
	want.Mode, want.Thread = cmp.Or(want.Mode, was.Mode), cmp.Or(want.Thread, was.Thread)
	index := interface_types.InterfaceIndex(id)
	if want.Mode != is.Mode {
		if _, err := k.vpp.SwInterfaceSetRxMode(ctx, &interfaces.SwInterfaceSetRxMode{
			SwIfIndex: index, QueueIDValid: true, QueueID: want.Number, Mode: interface_types.RxMode(want.Mode),
		}); err != nil {
			return err
		}
	}
	if want.Thread == is.Thread {
		return nil
	}
	q := &interfaces.SwInterfaceSetRxPlacement{SwIfIndex: index, QueueID: want.Number, IsMain: want.Thread == MainThread}
	if !q.IsMain {
		q.WorkerID = uint32(want.Thread - 1)
	}
	if _, err := k.vpp.SwInterfaceSetRxPlacement(ctx, q); err != nil {
		return err
	}
	if is, err = k.read(ctx, id, want); err == nil && is.Thread != want.Thread {
		err = fmt.Errorf("%w: this VPP has no worker %d: see cpu { workers } in its startup.conf", desiredstate.ErrInvalid, want.Thread)
	}
	return err
}

// seen is what VPP was told of, as VPP shows it: what was left open is as it is.
func (k *queues) seen(ctx context.Context, known []desiredstate.Actual[Queue]) (out []desiredstate.Actual[Queue], err error) {
	if len(known) == 0 {
		return nil, nil
	}
	all, err := vppnet.Collect(k.vpp.SwInterfaceRxPlacementDump(ctx, &interfaces.SwInterfaceRxPlacementDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	type number struct{ iface, queue uint32 }
	at := make(map[number]*interfaces.SwInterfaceRxPlacementDetails, len(all))
	for _, d := range all {
		at[number{uint32(d.SwIfIndex), d.QueueID}] = d
	}
	for _, a := range known {
		d := at[number{a.ID, a.Spec.Number}]
		if d == nil {
			continue
		}
		is := decode(d, a.Spec.Interface)
		if a.Spec.Mode != AsItIs {
			a.Spec.Mode = is.Mode
		}
		if a.Spec.Thread != 0 {
			a.Spec.Thread = is.Thread
		}
		out = append(out, a)
	}
	return out, err
}
