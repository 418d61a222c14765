// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"os"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/vrrp"

	"github.com/vppkit/vppkit/vppnet"
)

// RouterState is what a VirtualRouter is at the moment.
type RouterState uint8

// The states.
const (
	RouterStopped RouterState = iota // takes no part
	RouterBackup
	RouterMaster
	RouterDown // its interface is down, or has no address
)

// String returns "stopped", "backup", "master" or "down".
func (s RouterState) String() string {
	return [...]string{"stopped", "backup", "master", "down"}[s&3]
}

// RouterEvent says that a virtual router, anybody's, has changed its state.
type RouterEvent struct {
	Index uint32 // sw_if_index
	ID    uint8
	IPv6  bool

	Old, New RouterState

	// Lost is the number of events that were lost before this one because the
	// reader was too slow: read all anew, by RouterStates.
	Lost uint64
}

// WatchRouters delivers what happens to virtual routers from now on, until ctx ends
// or the Conn dies; then the channel is closed. Nothing needs to listen for them to
// do their work.
func WatchRouters(ctx context.Context, c *vppnet.Conn) (<-chan RouterEvent, error) {
	c.Uses(&vrrp.WantVrrpVrEvents{})
	w, err := c.WatchEvent(ctx, &vrrp.VrrpVrEvent{})
	if err != nil {
		return nil, err
	}
	_, err = vrrp.NewServiceClient(c).WantVrrpVrEvents(ctx, &vrrp.WantVrrpVrEvents{EnableDisable: true, PID: uint32(os.Getpid())})
	if err != nil && !errors.Is(err, api.INVALID_REGISTRATION) { // somebody has asked on this connection before
		w.Close()
		return nil, err
	}
	out := make(chan RouterEvent)
	go func() {
		defer close(out)
		defer w.Close()
		var lost uint64
		for m := range w.Events() {
			e, ok := m.(*vrrp.VrrpVrEvent)
			if !ok {
				continue
			}
			event := RouterEvent{
				Index: uint32(e.Vr.SwIfIndex), ID: e.Vr.VrID, IPv6: e.Vr.IsIPv6 != 0,
				Old: RouterState(e.OldState), New: RouterState(e.NewState),
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

// RouterStates reads the state of all virtual routers of VPP (vrrp_vr_dump), as
// events whose Old is New.
func RouterStates(ctx context.Context, c *vppnet.Conn) (out []RouterEvent, err error) {
	c.Uses(&vrrp.VrrpVrDump{})
	all, err := vppnet.Collect(vrrp.NewServiceClient(c).VrrpVrDump(ctx, &vrrp.VrrpVrDump{SwIfIndex: noIndex}))
	for _, d := range all {
		s := RouterState(d.Runtime.State)
		out = append(out, RouterEvent{
			Index: uint32(d.Config.SwIfIndex), ID: d.Config.VrID, IPv6: d.Config.Flags&vrrp.VRRP_API_VR_IPV6 != 0, Old: s, New: s,
		})
	}
	return out, err
}
