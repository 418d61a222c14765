// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/examples/cni/ovs"
)

// plane is a data plane of the host, connected: what interfaces of containers are made in.
type plane interface {
	// kinds are those of all that the plugin makes there, with sockets in dirs. Of those that the
	// data plane does not tell whose they are, only what is claimed is ours.
	kinds(dirs []string, claims func(desiredstate.Key) bool) []desiredstate.AnyKind

	// ready says why nothing could be made now.
	ready(ctx context.Context) error

	// objects are all that an attachment is, in a data plane that has found: a bridge of somebody
	// else's is used as it is. Those that are last are to be made after the others.
	objects(a *Attachment, found []desiredstate.Found) ([]desiredstate.Object, error)
	last(o desiredstate.Object) bool

	// leaving are these interfaces of ours, and all that is on them, with the paths of their
	// sockets; and what no interface needs then. What is last is to go after the others.
	leaving(found []desiredstate.Found, these func(name string) bool) (keys, last []desiredstate.Key, sockets []string)

	// lend gives the container the data plane's own socket, if it is elsewhere; lent says why it
	// does not have that.
	lend(a *Attachment) error
	lent(a *Attachment) error

	// port says what has become of an attachment.
	port(ctx context.Context, e *desiredstate.Engine, a *Attachment) (Port, error)

	Close() error
}

// Engine keeps attachments in a data plane. It has no state beside the data plane's own. One
// command uses it, from one goroutine.
type Engine struct {
	plane
	engine *desiredstate.Engine
}

// Port is what Ensure has made.
type Port struct {
	MAC string // of the host's end; "": none
	MTU int    // bytes; 0: not known
}

// owner is whose the things are that the plugin makes in a data plane.
const owner = "cni"

// errGone says that there is no data plane, and so nothing of ours in it.
var errGone = errors.New("the data plane does not run")

// patience bounds how long a command waits for a data plane to come, and for one that is there to
// let it in. A DEL does not wait for long: what does not run holds nothing.
const patience = 10 * time.Second

// open gets at the data plane that a configuration speaks of, whose sockets are in dirs. It waits
// for this long for one that is not there.
func open(ctx context.Context, c *netconf.Conf, absent time.Duration, dirs ...string) (*Engine, error) {
	dial := dialVPP
	if c.Host.Engine == netconf.OVS {
		dial = dialOVS
	}
	ctx, cancel := context.WithTimeout(ctx, patience+absent)
	defer cancel()
	soon, cancel := context.WithTimeout(ctx, max(absent, 200*time.Millisecond))
	defer cancel()
	p, err := dial(soon, control(c))
	if absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED); absent && c.Host.Engine == netconf.VPP {
		return nil, fmt.Errorf("%w: %w", errGone, err)
	} else if absent {
		return nil, err // its database may be on the disk
	}
	if err != nil && soon.Err() != nil { // somebody listens, and is busy
		p, err = dial(ctx, control(c))
	}
	if err != nil {
		return nil, err
	}
	e := &Engine{plane: p, engine: desiredstate.New(p.kinds(dirs, everything)...)}
	e.engine.Observe = observe
	return e, nil
}

func everything(desiredstate.Key) bool { return true }

// Ensure makes the attachment's interface and puts it into its network, whatever of it is there
// already.
func (e *Engine) Ensure(ctx context.Context, a *Attachment) (p Port, err error) {
	want, err := e.want(ctx, a)
	if err != nil {
		return p, err
	}
	var first []desiredstate.Object
	for _, o := range want {
		if !e.last(o) {
			first = append(first, o)
		}
	}
	for _, some := range [][]desiredstate.Object{first, want} {
		if _, err := e.engine.Ensure(ctx, some...); err != nil {
			return p, err
		}
	}
	if err := e.lend(a); err != nil {
		return p, err
	}
	return e.port(ctx, e.engine, a)
}

// Check says in what the data plane differs from what Ensure would make.
func (e *Engine) Check(ctx context.Context, a *Attachment) error {
	want, err := e.want(ctx, a)
	if err != nil {
		return err
	}
	p, err := e.engine.PlanEnsure(ctx, want...)
	if err != nil {
		return err
	}
	if !p.Empty() {
		return fmt.Errorf("%s has it otherwise; to mend it would be:\n%s", a.Conf.Host.Engine, strings.TrimSpace(p.String()))
	}
	return e.lent(a)
}

func (e *Engine) want(ctx context.Context, a *Attachment) ([]desiredstate.Object, error) {
	found, err := e.engine.Found(ctx)
	if err != nil {
		return nil, err
	}
	return e.objects(a, found)
}

// Remove takes away all of the interface with the attachment's name. It gives the path of its
// socket, if it was there; that it was not is no error.
func (e *Engine) Remove(ctx context.Context, a *Attachment) (socket string, err error) {
	sockets, err := e.remove(ctx, func(name string) bool { return name == a.Name() })
	if len(sockets) > 0 {
		socket = sockets[0]
	}
	return socket, err
}

// Sweep takes away all interfaces of a network but those with these names, and what no interface
// needs any more. It gives the paths of their sockets.
func (e *Engine) Sweep(ctx context.Context, network string, keep map[string]bool) (sockets []string, err error) {
	return e.remove(ctx, func(name string) bool { return inNetwork(name, network) && !keep[name] })
}

// stays notes the names of all interfaces of a network that are there.
func (e *Engine) stays(ctx context.Context, network string, names map[string]bool) error {
	e.engine.Forget()
	found, err := e.engine.Found(ctx)
	e.leaving(found, func(name string) bool {
		names[name] = names[name] || inNetwork(name, network)
		return false
	})
	return err
}

// remove takes away these interfaces, and what then nobody needs. Only one command at a time may
// be between making such a thing and using it; see lock. The daemon, which knows of no DEL before the
// runtime's cache does, may make one anew that has just gone, and is on what is to go then: once more.
func (e *Engine) remove(ctx context.Context, these func(name string) bool) (sockets []string, err error) {
	for range 5 {
		var more []string
		more, err = e.removeOnce(ctx, these)
		for _, s := range more {
			if !slices.Contains(sockets, s) {
				sockets = append(sockets, s)
			}
		}
		if !errors.Is(err, desiredstate.ErrInUse) { // what is on a bridge domain, or has the socket of a memif
			return sockets, err
		}
		slog.Warn("made anew meanwhile", "err", err)
	}
	return sockets, err
}

// removeOnce does so by what there is now.
func (e *Engine) removeOnce(ctx context.Context, these func(name string) bool) (sockets []string, err error) {
	e.engine.Forget() // an ADD that failed knows only what it was told of
	found, err := e.engine.Found(ctx)
	if err != nil {
		return nil, err
	}
	keys, last, sockets := e.leaving(found, these)
	return sockets, removeKeys(ctx, e.engine, keys, last)
}

// removeKeys removes these, and then the last.
func removeKeys(ctx context.Context, e *desiredstate.Engine, keys, last []desiredstate.Key) error {
	_, err := e.Remove(ctx, keys...)
	if errors.Is(err, ovs.ErrIdle) { // gone from the database, so it never comes back
		e.Forget()
		_, err = e.Remove(ctx, keys...)
	}
	if err == nil {
		_, err = e.Remove(ctx, last...)
	}
	return err
}

// step is told before each thing that the plugin does to the world. Tests end the process
// there.
var step = func(string) {}
