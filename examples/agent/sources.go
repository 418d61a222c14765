// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// The sources of the store, one for each key that wants something.

// source names what wants the objects of a port.
func source(name string) string { return "port/" + name }

// uplink names what wants the interface of a physical network up.
func uplink(physnet string) string { return "physnet/" + physnet }

// shared names what wants the sets of a security group.
func shared(group string) string { return "group/" + group }

// snooping names what wants copies of what passes a port.
func snooping(place int) string { return fmt.Sprintf("snoop/%d", place) }

// underlaySource names what wants the host to be found by others.
const underlaySource = "underlay"

// electionSource names what wants the host's part in the election.
const electionSource = "election"

// routed names, to the announcer, what a key of a router says.
func routed(name string) string { return "routers/" + name }

// unserved names, to the announcer, a key of a family that is not served.
func unserved(name string) string { return "unserved/" + name }
