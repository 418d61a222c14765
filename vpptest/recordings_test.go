// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vpptest"
)

var record = flag.Bool("record", false, "make testdata anew from an installed VPP")

const recordings = "testdata/vpp-25.10"

// allScripts are those of all modules.
func allScripts() []vpptest.Script {
	return slices.Concat(scripts, aclScripts, ipScripts, neighbourScripts, natScripts, eiScripts, vrrpScripts, refusalScripts, bondScripts, memifScripts, vxlanScripts, lispScripts, spanScripts, greScripts, tapScripts, l3xcScripts, pipeScripts, mssClampScripts, policerScripts, qosScripts, urpfScripts, classifyScripts, abfScripts, wireguardScripts, uplinkScripts, dhcpClientScripts, nat66Scripts, lldpScripts, nat64Scripts, linuxCPScripts)
}

func recordingOf(name string) string { return filepath.Join(recordings, name+".json") }

// TestReplay is what makes the in-memory VPP worth using: it must answer to every
// script what a real VPP answered.
func TestReplay(t *testing.T) {
	for _, script := range allScripts() {
		t.Run(script.Name, func(t *testing.T) {
			if *record {
				skipWithVhostNet(t, script)
				vpp := realFor(t, needsDevices[script.Name], needsStartup[script.Name]...)
				made, err := vpptest.Record(vpp.Socket(), vpp.Dir(), script)
				require.NoError(t, err)
				require.NoError(t, made.Save(recordingOf(script.Name)))
			}
			recorded, err := vpptest.Load(recordingOf(script.Name))
			require.NoError(t, err)
			require.NoError(t, recorded.Matches(script))
			vpp := vpptest.New(t, vpptest.WithDirectory("/sockets"), vpptest.WithHostDevice("vt0"), vpptest.WithHostDevice("vt1"),
				vpptest.WithHostNamespace("vpptest"), vpptest.WithoutVhostNet())
			require.NoError(t, recorded.Replay(vpp.Socket(), "/sockets"))
		})
	}
}

// TestReplayReal guards the other side: the recordings hold for the VPP installed.
func TestReplayReal(t *testing.T) {
	for _, script := range allScripts() {
		t.Run(script.Name, func(t *testing.T) {
			skipWithVhostNet(t, script)
			vpp := realFor(t, needsDevices[script.Name], needsStartup[script.Name]...)
			recorded, err := vpptest.Load(recordingOf(script.Name))
			require.NoError(t, err)
			version, err := vpp.Version()
			require.NoError(t, err)
			if version != recorded.VPP {
				t.Skipf("recorded from %s, installed is %s", recorded.VPP, version)
			}
			require.NoError(t, recorded.Replay(vpp.Socket(), vpp.Dir()))
		})
	}
}

// skipWithVhostNet skips what was recorded where Linux has no vhost-net, if it has.
func skipWithVhostNet(t *testing.T, script vpptest.Script) {
	t.Helper()
	if _, err := os.Stat("/dev/vhost-net"); err == nil && needsNoVhostNet[script.Name] {
		t.Skip("RECORDED WITHOUT /dev/vhost-net, WHICH IS HERE")
	}
}

var needsNoVhostNet = map[string]bool{"tap": true, "linux-cp": true, "linux-cp-namespace": true}

// needsStartup are the scripts of plugins that VPP does not load by itself.
var needsStartup = map[string][]vpptest.RealOption{"linux-cp": {withLinuxCP}, "linux-cp-namespace": {withLinuxCP}}

var withLinuxCP = vpptest.WithStartup("plugins { plugin linux_cp_plugin.so { enable } }")

// needsDevices are the scripts with interfaces on Linux' devices.
var needsDevices = map[string]bool{"host-interface": true, "uplink": true}

// realFor starts a real VPP, next to the Linux devices vt0 and vt1 if it needs them.
func realFor(t *testing.T, devices bool, more ...vpptest.RealOption) *vpptest.RealVPP {
	t.Helper()
	if !devices {
		return vpptest.Real(t, more...)
	}
	const ns = "vpptest"
	_ = exec.Command("ip", "netns", "del", ns).Run()
	for _, command := range []string{
		"ip netns add " + ns,
		"ip -n " + ns + " link add vt0 type veth peer name vt1",
		"ip -n " + ns + " link set vt0 up",
		"ip -n " + ns + " link set vt1 up",
	} {
		args := strings.Fields(command)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s: %v %s", command, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	return vpptest.Real(t, vpptest.InNetNS(ns))
}
