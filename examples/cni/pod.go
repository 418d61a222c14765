// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// sharedDir is the directory on the host of the pod's volume of that name; "": there is none.
func sharedDir(context.Context, *netconf.Conf, string) (string, error) { return "", nil }

// annotate tells the pod what was made.
func annotate(context.Context, *netconf.Conf, *netconf.HandOver) error { return nil }
