// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"time"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// Engine is a data plane of the host: what interfaces of containers are made in. It keeps no
// state beside the data plane's own. One command uses it, from one goroutine.
type Engine interface {
	// Ready says why nothing could be made now.
	Ready(ctx context.Context) error

	// Ensure makes the attachment's interface and puts it into its network, whatever of
	// it is there already.
	Ensure(ctx context.Context, a *Attachment) (Port, error)

	// Check says in what the data plane differs from what Ensure would make.
	Check(ctx context.Context, a *Attachment) error

	// Remove takes away all of the interface with the attachment's name. It gives the
	// path of its socket, if it was there; that it was not is no error.
	Remove(ctx context.Context, a *Attachment) (socket string, err error)

	// Sweep takes away all interfaces of a network but those with these names, and what no
	// interface needs any more. It gives the paths of their sockets.
	Sweep(ctx context.Context, network string, keep map[string]bool) (sockets []string, err error)

	Close() error
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
func open(ctx context.Context, c *netconf.Conf, absent time.Duration, dirs ...string) (Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, patience+absent)
	defer cancel()
	if c.Host.Engine == netconf.VPP {
		return openVPP(ctx, c, absent, dirs)
	}
	return openOVS(ctx, c, dirs)
}

// step is told before each thing that the plugin does to the world. Tests end the process
// there.
var step = func(string) {}
