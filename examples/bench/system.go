// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
)

// The systems. The floor goes first: the others are compared with it.
const (
	floorSystem      = "floor"
	sequentialSystem = "sequential"
	engineSystem     = "engine"
	agentSystem      = "agent"
)

var allSystems = []string{floorSystem, sequentialSystem, engineSystem}

func fleetOn(vpp *target, ports int) fleet {
	return fleet{size: ports, dir: vpp.dir, uplink: vpp.uplink}
}

func (b *bench) system(_ context.Context, name string, vpp *target, ports int) (system, error) {
	f := fleetOn(vpp, ports)
	switch name {
	case floorSystem, sequentialSystem:
		return &blind{fleet: f, vpp: vpp.Socket, pipelined: name == floorSystem}, nil
	case engineSystem:
		return &engine{fleet: f, vpp: vpp.Socket}, nil
	}
	return nil, fmt.Errorf("no system %q", name)
}
