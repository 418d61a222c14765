// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/vpe"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// target is a VPP to be programmed. One system each: what a VPP had once, it has
// room for, so the second to come would be flattered.
type target struct {
	Name   string // in results
	Socket string
	dir    string // for the sockets of ports
	uplink string

	life  life // nil: it is not ours to kill
	close func() error
}

// life is that of a VPP which the benchmark started.
type life interface {
	Kill()
	Restart() error
}

func (t *target) Kill()          { t.life.Kill() }
func (t *target) Restart() error { return t.life.Restart() }
func (t *target) restarts() bool { return t.life != nil }

// A source starts targets.
type source func() (*target, error)

// simulated starts an in-memory VPP, in this process.
func simulated() (*target, error) {
	const nic = "GigabitEthernet0/8/0"
	v, err := vpptest.Start(vpptest.WithInterface(nic), classifier)
	if err != nil {
		return nil, err
	}
	return &target{Name: "sim", Socket: v.Socket(), dir: filepath.Dir(v.Socket()), uplink: nic, life: v, close: v.Close}, nil
}

// installed starts the VPP that is installed, with room for all. It looks at its
// sockets each time round its main loop, after the shortest of sleeps: one that never
// sleeps looks only every 1024th time once there are ports to poll, and what is
// measured then is that.
func installed() (*target, error) {
	v, err := vpptest.StartReal(vpptest.WithStartup(
		"unix { poll-sleep-usec 1 } memory { main-heap-size 3G } statseg { size 512M }"))
	if err != nil {
		return nil, err
	}
	l := &withNIC{v}
	t := &target{Socket: l.link(), dir: v.Dir(), uplink: "loop0", life: l, close: v.Close}
	if t.Name, err = version(v.Socket()); err == nil {
		err = l.ready()
	}
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// withNIC is a real VPP which has a loopback for a NIC whenever it can be reached,
// which is by a link to its socket.
type withNIC struct{ v *vpptest.RealVPP }

func (l *withNIC) link() string { return filepath.Join(l.v.Dir(), "ready.sock") }

func (l *withNIC) Kill() {
	_ = os.Remove(l.link())
	l.v.Kill()
}

func (l *withNIC) Restart() error {
	if err := l.v.Restart(); err != nil {
		return err
	}
	return l.ready()
}

func (l *withNIC) ready() error {
	w, err := openWire(l.v.Socket(), new(tally))
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.each([]ask{{request: &interfaces.CreateLoopback{}}}); err != nil {
		return err
	}
	return os.Symlink(l.v.Socket(), l.link())
}

func version(socket string) (string, error) {
	w, err := openWire(socket, new(tally))
	if err != nil {
		return "", err
	}
	defer w.close()
	var reply vpe.ShowVersionReply
	err = w.each([]ask{{&vpe.ShowVersion{}, &reply}})
	return reply.Version, err
}

// given uses a VPP that runs, and leaves it as it was. It must hold nothing yet
// that looks like ours, because that would go.
func given(socket string, filters bool) source {
	return func() (*target, error) {
		name, err := version(socket)
		if err != nil {
			return nil, err
		}
		w, err := openWire(socket, new(tally))
		if err != nil {
			return nil, err
		}
		defer w.close()
		r, err := w.read(true, filters)
		if err != nil {
			return nil, err
		}
		for _, tag := range r.tags() {
			for _, o := range []string{owner, translate.Owner} {
				if strings.HasPrefix(tag, o+"/") {
					return nil, fmt.Errorf("VPP at %s holds %q: the benchmark would remove it; take another VPP", socket, tag)
				}
			}
		}
		dir, err := os.MkdirTemp("", "bench")
		if err != nil {
			return nil, err
		}
		var loop interfaces.CreateLoopbackReply
		if err := w.each([]ask{{&interfaces.CreateLoopback{}, &loop}}); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		t := &target{Name: name + " (warm)", Socket: socket, dir: dir}
		t.close = func() error { return errors.Join(t.sweep(loop, filters), os.RemoveAll(dir)) }
		if r, err = w.read(true, false); err != nil {
			return nil, errors.Join(err, t.close())
		}
		for _, d := range r.interfaces {
			if d.SwIfIndex == loop.SwIfIndex {
				t.uplink = d.InterfaceName
			}
		}
		return t, nil
	}
}

// sweep removes what a system may have left, and the loopback.
func (t *target) sweep(loop interfaces.CreateLoopbackReply, filters bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var errs []error
	for _, o := range []string{owner, translate.Owner} {
		c, err := vppnet.Dial(ctx, t.Socket, o)
		if err != nil {
			return err
		}
		_, err = newEngine(c, fleet{dir: t.dir, uplink: t.uplink, filtered: filters}).Sync(ctx)
		errs = append(errs, err, c.Close())
	}
	w, err := openWire(t.Socket, new(tally))
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	defer w.close()
	return errors.Join(append(errs, w.each([]ask{{request: &interfaces.DeleteLoopback{SwIfIndex: loop.SwIfIndex}}}))...)
}
