// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/tracedump"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
)

// CaptureOptions say what is captured, and how much of it.
type CaptureOptions struct {
	// Interfaces are those by which packets enter, by name, as [Interfaces] has them: ours
	// and others'. A sub-interface is told from its parent by what VPP says of the packet
	// later on.
	Interfaces []string

	Packets int           // at most so many; 1 to 10,000; 0: 100
	Time    time.Duration // at most so long, if there are fewer; 0: 10 seconds
}

// What VPP is asked for at most.
const mostPackets = 10_000

// inputNodes are the nodes by which packets enter, by device class. A node that does not let
// itself be traced, or an index that is none, would end VPP, so no other is used.
var inputNodes = map[string]string{
	"af-packet": "af-packet-input", "vhost-user": "vhost-user-input", deviceMemif: "memif-input",
	"virtio": "virtio-input", "tap": "virtio-input", "tun": "virtio-input", "dpdk": "dpdk-input", "RDMA interface": "rdma-input",
}

// Capture records packets that enter VPP by some interfaces from now on, until there are
// enough, the time is over, or ctx ends, which is no error: what there is by then is
// returned, in the order in which VPP saw it. Tracing is switched off in any case, as far as
// VPP can still be reached: a process that is killed leaves VPP recording until it has as many
// packets as it was asked for, or somebody captures again.
//
// VPP has one trace: another capture, anybody's, ends with the beginning of this one, and
// all are cleared at its end. It traces all that an input node gets, so on a busy VPP other
// interfaces of the same sort use up the buffer of 10,000 packets. It stops its workers
// for as long as it hands records over, every 100 ms: keep Packets small where traffic counts.
//
// Messages: get_node_index, trace_capture_packets, trace_v2_dump, trace_clear_capture
// (plugin tracedump), sw_interface_dump, cli_inband.
func Capture(ctx context.Context, c *Conn, o CaptureOptions) (packets []CapturedPacket, err error) {
	if o.Packets == 0 {
		o.Packets = 100
	}
	if o.Time == 0 {
		o.Time = 10 * time.Second
	}
	switch {
	case len(o.Interfaces) == 0:
		return nil, errors.New("capture: no interface is named")
	case o.Packets < 0 || o.Packets > mostPackets:
		return nil, fmt.Errorf("capture: %d packets, want 1 to %d", o.Packets, mostPackets)
	case o.Time < 0:
		return nil, fmt.Errorf("capture: %v, want some time", o.Time)
	}
	c.Uses(&interfaces.SwInterfaceDump{}, &vlib.GetNodeIndex{}, &vlib.CliInband{}, &tracedump.TraceCapturePackets{}, &tracedump.TraceV2Dump{}, &tracedump.TraceClearCapture{})
	p, err := newCapture(ctx, c, o)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	vpp := tracedump.NewServiceClient(c)
	defer func() {
		ctx, cancel := shared.Outlive(ctx)
		defer cancel()
		if _, stop := vpp.TraceClearCapture(ctx, &tracedump.TraceClearCapture{}); stop != nil {
			err = errors.Join(err, fmt.Errorf("capture: switch tracing off: %w", stop))
		}
	}()
	for i, node := range p.nodes {
		_, err := vpp.TraceCapturePackets(ctx, &tracedump.TraceCapturePackets{NodeIndex: node, MaxPackets: mostPackets, PreCaptureClear: i == 0})
		if err != nil {
			return nil, fmt.Errorf("capture: %w", err)
		}
	}
	ends := time.Now().Add(o.Time)
	for {
		all, err := Collect(vpp.TraceV2Dump(ctx, &tracedump.TraceV2Dump{ThreadID: none, Position: 0, Max: mostPackets, ClearCache: true}))
		if ctx.Err() != nil {
			return packets, nil //nolint:nilerr // that it ends is no error
		}
		if err != nil {
			return packets, fmt.Errorf("capture: %w", err)
		}
		packets = p.packets(all)
		if len(packets) >= o.Packets || !time.Now().Before(ends) {
			return packets[:min(len(packets), o.Packets)], nil
		}
		select {
		case <-ctx.Done():
			return packets, nil
		case <-time.After(min(100*time.Millisecond, time.Until(ends))):
		}
	}
}

// capture knows whose packets are wanted.
type capture struct {
	want  []wanted
	nodes []uint32
}

// wanted is an interface, and the device by which its packets enter, by VPP's name and by
// VPP's number of devices, which is another than that of interfaces: an input node says one
// of the two.
type wanted struct {
	name   string
	index  uint32
	sub    bool
	device string
	number uint32
}

func newCapture(ctx context.Context, c *Conn, o CaptureOptions) (*capture, error) {
	all, err := desiredstate.List[Interface](ctx, desiredstate.New(Interfaces(c)))
	if err != nil {
		return nil, err
	}
	numbers, err := devices(ctx, c)
	if err != nil {
		return nil, err
	}
	p := &capture{}
	byName := map[string]desiredstate.Actual[Interface]{}
	for _, i := range all {
		byName[i.Spec.Name] = i
	}
	for _, name := range o.Interfaces {
		i, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("%w: interface %s", desiredstate.ErrMissing, name)
		}
		enters := i
		if i.Spec.Parent != "" {
			enters = byName[i.Spec.Parent]
		}
		input, ok := inputNodes[enters.Spec.Device]
		if !ok {
			return nil, fmt.Errorf("%w: nothing enters VPP by interface %s, a %s, where it could be traced", desiredstate.ErrInvalid, name, enters.Spec.Device)
		}
		node, err := nodeIndex(ctx, c, input)
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", name, err)
		}
		if !slices.Contains(p.nodes, node) {
			p.nodes = append(p.nodes, node)
		}
		number, ok := numbers[enters.Spec.VPPName]
		if !ok {
			number = none // it has just been made
		}
		p.want = append(p.want, wanted{name, i.ID, i.Spec.Parent != "", enters.Spec.VPPName, number})
	}
	return p, nil
}

// devices are VPP's numbers of its devices by their names, of which no message tells; the
// CLI does: "show hardware-interfaces brief", by cli_inband.
func devices(ctx context.Context, c *Conn) (map[string]uint32, error) {
	r, err := vlib.NewServiceClient(c).CliInband(ctx, &vlib.CliInband{Cmd: "show hardware-interfaces brief"})
	if err != nil {
		return nil, err
	}
	numbers := map[string]uint32{}
	for line := range strings.Lines(r.Reply) {
		if f := strings.Fields(line); len(f) >= 2 && !strings.HasPrefix(line, " ") {
			if n, err := strconv.ParseUint(f[1], 10, 32); err == nil {
				numbers[f[0]] = uint32(n)
			}
		}
	}
	return numbers, nil
}

// nodeIndex asks for an input node. VPP answers ~0 for one that it does not have, and would
// end if that were traced.
func nodeIndex(ctx context.Context, c *Conn, name string) (uint32, error) {
	r, err := vlib.NewServiceClient(c).GetNodeIndex(ctx, &vlib.GetNodeIndex{NodeName: name})
	if err != nil {
		return 0, err
	}
	if r.NodeIndex == none {
		return 0, fmt.Errorf("there is no node %s: %w", name, api.NO_SUCH_NODE)
	}
	return r.NodeIndex, nil
}

// packets returns those that entered by a wanted interface.
func (p *capture) packets(all []*tracedump.TraceV2Details) (out []CapturedPacket) {
	for _, d := range all {
		packet := parsePacket(d.TraceData)
		for _, w := range p.want {
			// A sub-interface's name comes after its parent's, if both are wanted.
			if packet.entered(w.device, w.number) && (!w.sub || packet.mentions(w.index)) && (packet.Interface == "" || w.sub) {
				packet.Interface = w.name
			}
		}
		if packet.Interface != "" {
			out = append(out, packet)
		}
	}
	return out
}
