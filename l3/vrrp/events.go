// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"context"
	"errors"
	"os"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/vrrp"

	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// State is what a Router is at the moment.
type State uint8

// The states.
const (
	Stopped State = iota // takes no part
	Backup
	Master
	Down // its interface is down, or has no address
)

// String returns "stopped", "backup", "master" or "down".
func (s State) String() string {
	return [...]string{"stopped", "backup", "master", "down"}[s&3]
}

// Event says that a virtual router, anybody's, has changed its state.
type Event struct {
	Index uint32 // sw_if_index
	ID    uint8
	IPv6  bool

	Old, New State

	// Lost is the number of events that were lost before this one because the
	// reader was too slow: read all anew, by States.
	Lost uint64
}

// Watch delivers what happens to virtual routers from now on, until ctx ends
// or the Conn dies; then the channel is closed. Nothing needs to listen for them to
// do their work.
func Watch(ctx context.Context, c *vppnet.Conn) (<-chan Event, error) {
	c.Uses(&binding.WantVrrpVrEvents{})
	w, err := c.WatchEvent(ctx, &binding.VrrpVrEvent{})
	if err != nil {
		return nil, err
	}
	_, err = binding.NewServiceClient(c).WantVrrpVrEvents(ctx, &binding.WantVrrpVrEvents{EnableDisable: true, PID: uint32(os.Getpid())})
	if err != nil && !errors.Is(err, api.INVALID_REGISTRATION) { // somebody has asked on this connection before
		w.Close()
		return nil, err
	}
	out := make(chan Event)
	go func() {
		defer close(out)
		defer w.Close()
		var lost uint64
		for m := range w.Events() {
			e, ok := m.(*binding.VrrpVrEvent)
			if !ok {
				continue
			}
			event := Event{
				Index: uint32(e.Vr.SwIfIndex), ID: e.Vr.VrID, IPv6: e.Vr.IsIPv6 != 0,
				Old: State(e.OldState), New: State(e.NewState),
			}
			if lossy, ok := w.(vppnet.Watcher); ok {
				event.Lost, lost = lossy.Lost()-lost, lossy.Lost()
			}
			select {
			case out <- event:
			case <-ctx.Done():
				return
			case <-c.Done():
				return
			}
		}
	}()
	return out, nil
}

// States reads the state of all virtual routers of VPP (vrrp_vr_dump), as
// events whose Old is New.
func States(ctx context.Context, c *vppnet.Conn) (out []Event, err error) {
	c.Uses(&binding.VrrpVrDump{})
	all, err := vppnet.Collect(binding.NewServiceClient(c).VrrpVrDump(ctx, &binding.VrrpVrDump{SwIfIndex: interface_types.InterfaceIndex(place.None)}))
	for _, d := range all {
		s := State(d.Runtime.State)
		out = append(out, Event{
			Index: uint32(d.Config.SwIfIndex), ID: d.Config.VrID, IPv6: d.Config.Flags&binding.VRRP_API_VR_IPV6 != 0, Old: s, New: s,
		})
	}
	return out, err
}
