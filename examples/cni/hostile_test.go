// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
	"github.com/vppkit/vppkit/vpptest"
)

// What GC cannot take from a data plane, or not see whether it is there, keeps its address: another container
// that got it would have it together with the old interface. All else goes.
func TestGCLeavesAddressesInUse(t *testing.T) {
	vpp, o := newVPP(t), ovstest.New(t)
	for name, way := range map[string]struct {
		change     []string
		fail, heal func(t *testing.T)
		stay       int
	}{
		"VPP says nothing": {nil, func(*testing.T) {
			vpp.Inject(vpptest.Fault{Message: "sw_interface_dump", Kind: vpptest.CutBefore, Times: -1})
		}, func(*testing.T) { vpp.Heal() }, 2},
		"VPP refuses one": {nil, func(*testing.T) {
			vpp.Inject(vpptest.Fault{Message: "memif_delete", Kind: vpptest.Refuse, Retval: -1})
		}, func(*testing.T) { vpp.Heal() }, 1},
		"OVS is not there": {
			ovsConf(), func(t *testing.T) { t.Setenv("VPPKIT_OVSDB", o.Dir()+"/not.sock") },
			func(t *testing.T) { t.Setenv("VPPKIT_OVSDB", o.Direct()) }, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, vpp.Socket())
			way.heal(t)
			conf := r.conf(way.change...)
			for n := range 2 {
				_, err := r.add(conf, id(n), "net0")
				require.NoError(t, err)
			}
			r.withoutCache()
			way.fail(t)
			require.Error(t, r.GCNetworkList(t.Context(), conf, none))
			left := strings.Join(r.files(), "\n")
			for _, file := range []string{"ipam/net/", "own/net0.", "/configData-"} {
				require.Equal(t, way.stay, strings.Count(left, file), left)
			}
			way.heal(t)
			require.NoError(t, r.GCNetworkList(t.Context(), conf, none))
			require.Empty(t, r.files())
		})
	}
}

// Multus names a file in a directory that a host which has just booted does not have.
func TestDeviceInfoInANewDirectory(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	device := r.dir + "/devinfo/cni/net1-device.json"
	conf := r.conf("runtimeConfig.CNIDeviceInfoFile", fmt.Sprintf("%q", device))
	require.NoError(t, r.del(conf, id(1), "net0"))
	_, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	require.FileExists(t, device)
	require.NoError(t, r.del(conf, id(1), "net0"))
	require.NoFileExists(t, device)
}

// An IPAM that says what cannot be used gets it back, and nothing is left.
func TestIPAMSaysNonsense(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	for said, want := range map[string]string{
		`"1.1.0", "ips": [null]`:                                                "one of the ips has no address",
		`"1.1.0", "ips": [{}]`:                                                  "one of the ips has no address",
		`"0.4.0", "interfaces": [null], "ips": []`:                              "not whole",
		`"1.1.0", "ips": [{"address": "10.0.0.2/24"}], "routes": [null]`:        "a route has no destination",
		`"1.1.0", "ips": [{"address": "10.0.0.2/24"}], "routes": [{}]`:          "a route has no destination",
		`"1.1.0", "ips": [{"address": "10.0.0.2/24", "gateway": "fd00::1"}]`:    "of the address's family",
		`"1.1.0", "ips": [{"address": "fd00::2/64", "gateway": "10.0.0.1"}]`:    "of the address's family",
		`"1.1.0", "ips": [{"address": "10.0.0.2/24", "gateway": "nobody"}]`:     "invalid IP address",
		`"9.9.9", "ips": [{"address": "10.0.0.2/24", "gateway": "10.0.0.1"}]`:   "9.9.9",
		`"1.1.0", "ips": [{"address": "10.0.0.2/24", "gateway": "10.0.0.1"}]}{`: "odd",
	} {
		conf := r.conf(append(r.ipam("odd", `echo '{"cniVersion": `+said+`}'; [ $CNI_COMMAND = ADD ] || touch $dir/back`), "host.netType", `"interface"`)...)
		_, err := r.add(conf, id(1), "net0")
		require.ErrorContains(t, err, want, said)
		require.NotContains(t, err.Error(), "panic", said)
		require.Equal(t, empty, vpp.String(), said)
		require.Empty(t, r.files(), said)
		require.NoError(t, r.removed("back"), said)
	}
}

// A prevResult that is not whole, as some plugin before it may give it, is error 6, and no DEL fails for it.
func TestPrevResultIsNotWhole(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	for version, prev := range map[string]string{"1.1.0": `"interfaces": [null]`, "1.0.0": `"ips": [null]`, "0.4.0": `"interfaces": [null]`} {
		conf := r.conf("cniVersion", `"`+version+`"`, "prevResult", `{"cniVersion": "`+version+`", `+prev+`}`)
		_, err := r.add(conf, id(1), "net0")
		require.Equal(t, types.ErrDecodingFailure, code(t, err), "%s: %v", version, err)
		require.NoError(t, r.del(conf, id(1), "net0"))
	}
	require.Empty(t, r.files())
}

// A file of the cache whose result is not whole says nothing, and ends no daemon.
func TestDaemonReadsAnything(t *testing.T) {
	d := &daemon{dataPlane: dataPlane{engine: "vpp"}, plugin: pluginType}
	r := newRig(t, "")
	for _, result := range []string{
		`{"cniVersion": "1.1.0", "interfaces": [null]}`, `{"cniVersion": "1.0.0", "ips": [null]}`, `{"cniVersion": "0.4.0", "interfaces": [null]}`,
		`{"cniVersion": "1.0.0", "ips": [{}]}`, `[]`, `{"cniVersion": 7}`,
	} {
		text, err := json.Marshal(map[string]any{
			"kind": "cniCacheV1", "containerId": id(1), "config": r.conf().Bytes, "ifName": "net0", "networkName": "net", "result": json.RawMessage(result),
		})
		require.NoError(t, err)
		file := filepath.Join(r.dir, "file")
		require.NoError(t, os.WriteFile(file, text, 0o600))
		var f *cachedFile
		require.NotPanics(t, func() { f = d.cachedFile(file, nil) }, result)
		require.Error(t, f.err, result)
		require.Nil(t, f.a, result)
	}
}

// The daemon restores what an ADD of a single netconf made: libcni caches that as it is, and so Multus does.
func TestDaemonRestoresASingleNetconf(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf, at := r.conf().Plugins[0], r.runtime(id(1), "net0")
	_, err := r.AddNetwork(t.Context(), conf, at)
	require.NoError(t, err)
	d := r.start(vpp.Socket())
	r.converged(d, 1)
	require.NoError(t, vpp.Restart())
	require.True(t, eventually(60*time.Second, func() bool { return r.CheckNetwork(t.Context(), conf, at) == nil }))
	require.NoError(t, r.DelNetwork(t.Context(), conf, at))
	r.converged(d, 0)
	require.Empty(t, r.files())
}

// An IPAM that hangs holds a command no longer than that may take, whatever programs it has begun.
func TestIPAMHangs(t *testing.T) {
	r := newRig(t, "")
	r.ipam("hangs", "sleep 60 & echo $! >> $dir/begun; wait")
	t.Setenv("CNI_PATH", r.dir+"/bin")
	i := ipam{"hangs", []byte(`{"cniVersion": "1.1.0", "name": "net", "ipam": {"type": "hangs"}}`)}
	for what, do := range map[string]func(context.Context) error{
		"ADD": func(ctx context.Context) error { _, err := i.add(ctx, nil); return err }, "DEL": i.del, "GC": i.gc, "STATUS": i.status,
		"DEL of another": func(ctx context.Context) error { return i.free(ctx, id(2), "net0") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		began := time.Now()
		err := do(ctx)
		cancel()
		require.Equal(t, types.ErrTryAgainLater, code(t, err), "%s: %v", what, err)
		require.Less(t, time.Since(began), 30*time.Second, what)
	}
}
