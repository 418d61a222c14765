// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
)

func Example() {
	fmt.Println(tour(context.Background(), os.Stdout))
	// Output:
	// # A network and two VMs are wanted. What would be done:
	//
	//    KIND           OBJECT              WHAT
	// +  bridge-domain  bridge-domain/net1
	// +  vhost-port     interface/vm1
	// +  vhost-port     interface/vm2
	// +  bridge-port    bridge-port/vm1
	// +  bridge-port    bridge-port/vm2
	// +  link           link/vm1
	// +  link           link/vm2
	// 7 to create
	//
	// # All is there now; a second run has nothing to do:
	//
	// 7 as wanted
	//
	// # Somebody takes vm2 out of its network, by VPP's CLI as it were. It is seen, and mended:
	//
	//    KIND         OBJECT           WHAT
	// +  bridge-port  bridge-port/vm2
	// 1 to create, 6 as wanted
	//
	// # VPP crashes and starts again, empty. All of it is made anew:
	//
	//    KIND           OBJECT              WHAT
	// +  bridge-domain  bridge-domain/net1
	// +  vhost-port     interface/vm1
	// +  vhost-port     interface/vm2
	// +  bridge-port    bridge-port/vm1
	// +  bridge-port    bridge-port/vm2
	// +  link           link/vm1
	// +  link           link/vm2
	// 7 to create
	//
	// # vm1 is wanted no more. What hung on it goes first:
	//
	//    KIND         OBJECT           WHAT
	// -  bridge-port  bridge-port/vm1
	// -  link         link/vm1
	// -  vhost-port   interface/vm1
	// 3 to delete, 4 as wanted
	// <nil>
}
