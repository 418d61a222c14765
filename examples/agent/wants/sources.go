// SPDX-License-Identifier: Apache-2.0

package wants

import "fmt"

// The sources of the store, one for each key that wants something.

// OfPort names what wants the objects of a port.
func OfPort(name string) string { return "port/" + name }

// OfUplink names what wants the interface of a physical network up.
func OfUplink(physnet string) string { return "physnet/" + physnet }

// OfGroup names what wants the sets of a security group.
func OfGroup(group string) string { return "group/" + group }

// OfSnoop names what wants copies of what passes a port.
func OfSnoop(place int) string { return fmt.Sprintf("snoop/%d", place) }

// underlaySource names what wants the host to be found by others.
const underlaySource = "underlay"

// OfElection names what wants the host's part in the election.
const OfElection = "election"

// OfRouter names, to the announcer, what a key of a router says.
func OfRouter(name string) string { return "routers/" + name }

// OfUnserved names, to the announcer, a key of a family that is not served.
func OfUnserved(name string) string { return "unserved/" + name }
