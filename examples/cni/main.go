// SPDX-License-Identifier: Apache-2.0

// cni is the Userspace CNI plugin: it makes memif and vhost-user interfaces for containers in
// the host's VPP or OVS-DPDK, and hands the containers what they need to get at them. Called
// by a container runtime it is the plugin; "cni daemon" keeps the interfaces of all that the
// runtime has attached there, over restarts of the data plane.
package main

import (
	"log/slog"
	"os"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "daemon" {
		slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
		if err := runDaemon(os.Args[2:]); err != nil {
			slog.Error("cni daemon", "err", err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv("CNI_COMMAND") == "DEL" { // skel would refuse the plugin's own namespace, and so IPAM's: DEL enters none
		_ = os.Setenv("CNI_NETNS_OVERRIDE", "1")
	}
	skel.PluginMainFuncs(skel.CNIFuncs{Add: add, Del: del, Check: check, GC: gc, Status: status},
		version.PluginSupports("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"), "Userspace CNI plugin on vppkit")
}

// control is the socket by which the data plane is told.
func control(c *netconf.Conf) string {
	if c.Host.Engine == netconf.VPP {
		return socketOf(c)
	}
	return ovsdbOf(c)
}
