// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/vppnet"
)

// wires keeps what TAP ports need of Linux, with iproute2: their bridges, veth pairs where
// these stand in for TAPs, and in the bridges the devices of who is there, which come when
// they come. What it makes bears its mark, an alias; of nothing else it takes anything
// away.
type wires struct {
	inbox *wants.Inbox
	store *desiredstate.Store
	log   *slog.Logger
	ns    string            // the network namespace of VPP; "": the agent's own
	said  map[string]string // what is wrong, by port or device
	busy  bool              // there is, or was, something to see to
}

func newWires(b *wants.Inbox, s *desiredstate.Store, log *slog.Logger) *wires {
	return &wires{inbox: b, store: s, log: log, said: map[string]string{}}
}

// wireMark is the alias of devices that are ours.
const wireMark = translate.Owner + "/wire"

// run looks after them until ctx ends. Who plugs something in does not say so, so it looks once
// a second, as long as there are TAP ports.
func (w *wires) run(ctx context.Context) error {
	for first := true; ; first = false {
		if w.inbox.Complete() {
			w.look(ctx, first)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		case <-w.inbox.Wired.Bell:
			w.inbox.Wired.Take()
		}
	}
}

// look makes what is missing, and unmakes what is ours and no port's, once VPP has let go.
func (w *wires) look(ctx context.Context, always bool) {
	want := w.inbox.Wires()
	if len(want) == 0 && !w.busy && !always {
		return
	}
	w.busy = true
	have, err := w.devices(ctx)
	if err != nil {
		w.tell("", err)
		return
	}
	w.tell("", nil)
	known := map[string]bool{}
	for name, x := range want {
		for _, device := range []string{x.Bridge, x.Ours, x.Peer} {
			known[device] = true
		}
		w.tell(name, w.plug(ctx, x, have))
	}
	left := false
	for device, d := range have {
		if d.alias != wireMark || known[device] {
			continue
		}
		if left = true; !w.used(device) {
			w.tell(device, w.ip(ctx, "link", "del", "dev", device))
		}
	}
	w.busy = len(want) > 0 || left
	maps.DeleteFunc(w.said, func(name, _ string) bool {
		_, wanted := want[name]
		_, there := have[name]
		return !wanted && !there
	})
}

// used says whether VPP has, or is to have, a port on the wire that a device is of: one whose key
// etcd lost is held back.
func (w *wires) used(device string) bool {
	for key := range w.store.Statuses() {
		if key.Space == vppnet.InterfaceKey("").Space && strings.HasPrefix(key.Name, "tap-"+device[3:]) {
			return true
		}
	}
	return false
}

type device struct {
	alias, master string
	up            bool
}

// begun says whether a device is as it was made. Nobody else leaves one so.
func (d device) begun() bool { return d.alias == "" && !d.up }

// devices lists Linux's.
func (w *wires) devices(ctx context.Context) (map[string]device, error) {
	out, err := w.output(ctx, "-d", "-o", "link", "show")
	if err != nil {
		return nil, err
	}
	have := map[string]device{}
	for _, line := range strings.Split(string(out), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(fields[1], ":"), "@")
		d := device{up: slices.Contains(strings.Split(strings.Trim(fields[2], "<>"), ","), "UP")}
		for i, f := range fields[:len(fields)-1] {
			if f == "master" {
				d.master = fields[i+1]
			}
		}
		if _, alias, ok := strings.Cut(line, "alias "); ok {
			d.alias = strings.TrimSpace(alias)
		}
		have[name] = d
	}
	return have, nil
}

// plug makes a port's wire whole.
func (w *wires) plug(ctx context.Context, x translate.Wire, have map[string]device) error {
	if err := w.own(ctx, have, []string{x.Bridge}, "name", x.Bridge, "type", "bridge", "forward_delay", "0", "stp_state", "0"); err != nil {
		return err
	}
	if x.Peer != "" {
		if err := w.own(ctx, have, []string{x.Peer, x.Ours}, "name", x.Ours, "type", "veth", "peer", "name", x.Peer); err != nil {
			return err
		}
	}
	for _, device := range []string{x.Ours, x.Theirs} {
		if d, there := have[device]; there && d.master != x.Bridge {
			if err := w.ip(ctx, "link", "set", "dev", device, "master", x.Bridge, "up"); err != nil {
				return err
			}
		}
	}
	return nil
}

// own has devices be there, made at once where the first is not, and puts up those that are as they were made, with our
// mark: whoever made them may have been killed then.
func (w *wires) own(ctx context.Context, have map[string]device, names []string, add ...string) error {
	if _, there := have[names[0]]; !there {
		if err := w.ip(ctx, append([]string{"link", "add"}, add...)...); err != nil {
			return err
		}
		for _, name := range names {
			have[name] = device{}
		}
	}
	for _, name := range names {
		if d, there := have[name]; there && d.begun() {
			if err := w.ip(ctx, "link", "set", "dev", name, "alias", wireMark, "up"); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell logs what is wrong with a port's wire, once.
func (w *wires) tell(name string, err error) {
	if err == nil {
		delete(w.said, name)
	} else if w.said[name] != err.Error() {
		w.said[name] = err.Error()
		w.log.Error("wire of a TAP port", "port", name, "err", err)
	}
}

func (w *wires) ip(ctx context.Context, args ...string) error {
	_, err := w.output(ctx, args...)
	return err
}

func (w *wires) output(ctx context.Context, args ...string) ([]byte, error) {
	if w.ns != "" {
		args = append([]string{"-n", w.ns}, args...)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // nothing is left half made
	defer cancel()
	cmd := exec.CommandContext(ctx, "ip", args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil && args[len(args)-3] == "del" && strings.Contains(errs.String(), "Cannot find device") {
		return nil, nil // it went with the other end of the pair
	}
	if err != nil {
		return nil, fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out, nil
}
