// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// sharedDir is the directory on the host of the pod's volume of that name; "": there is none.
// The API server is not asked: a netconf with a kubeconfig is served as one without, and that is said.
func sharedDir(_ context.Context, c *netconf.Conf, _ string) (string, error) {
	if c.KubeConfig != "" {
		slog.Warn("kubeconfig is not used: the hand-over is a file below sharedDir, not the pod's annotation")
	}
	return "", nil
}
