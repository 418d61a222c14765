// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"
)

// Errors have the codes of the CNI specification, and nothing is left.
func TestCodes(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	for name, way := range map[string]struct {
		code   uint
		change []string
	}{
		"interface without an ipam": {types.ErrInvalidNetworkConfig, []string{"host.netType", `"interface"`, "ipam", "null"}},
		"a group that is not":       {types.ErrInvalidNetworkConfig, []string{"host.iftype", `"vhostuser"`, "host.vhost.group", `"nobodys-group"`}},
		"kubeconfig that is not":    {types.ErrInvalidNetworkConfig, []string{"kubeconfig", `"` + r.dir + `/no"`}},
		"no such ipam":              {types.ErrInvalidNetworkConfig, []string{"ipam.type", `"nowhere"`}},
		"prevResult of no version":  {types.ErrDecodingFailure, []string{"prevResult", `{"cniVersion": "9.9.9"}`}},
		"VPP is not there":          {types.ErrTryAgainLater, []string{"vppSocket", `"` + r.dir + `/api.sock"`}},
		"the IPAM's own":            {types.ErrTryAgainLater, r.ipam("away", `echo '{"code": 11, "msg": "full"}'; [ $CNI_COMMAND = DEL ] || exit 1`)},
	} {
		r.args = [][2]string{{"IgnoreUnknown", "1"}, {"K8S_POD_NAMESPACE", "default"}, {"K8S_POD_NAME", "web"}}
		_, err := r.add(r.conf(way.change...), id(1), "net0")
		require.Equal(t, way.code, code(t, err), "%s: %v", name, err)
		require.Equal(t, empty, vpp.String(), name)
		require.Empty(t, r.files(), name)
	}
}

// What a runtime asks for and the plugin does not do is refused by its name; what there is goes all the same.
func TestCapabilities(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	for key, value := range map[string]string{
		"mac":       `"02:11:22:33:44:55"`,
		"bandwidth": `{"ingressRate": 1000, "ingressBurst": 1000}`, "portMappings": `[{"hostPort": 80, "containerPort": 80, "protocol": "tcp"}]`,
	} {
		conf := r.conf("runtimeConfig."+key, value)
		_, err := r.add(conf, id(1), "net0")
		require.Equal(t, types.ErrInvalidNetworkConfig, code(t, err), key)
		require.ErrorContains(t, err, key+" cannot be had")
		require.NoError(t, r.del(conf, id(1), "net0"), key)
	}
	_, err := r.add(r.conf("ipam", "null", "runtimeConfig.ips", `["10.56.217.9/24"]`), id(1), "net0")
	require.ErrorContains(t, err, "ips cannot be had", "without an IPAM")
	res, err := r.add(r.conf("runtimeConfig", `{"ips": ["10.56.217.9/24"], "portMappings": [], "dns": {"servers": ["10.0.0.1"], "searches": ["a.b"]}}`), id(1), "net0")
	require.NoError(t, err)
	require.Equal(t, types.DNS{Nameservers: []string{"10.0.0.1"}, Search: []string{"a.b"}}, res.DNS)
	require.NoError(t, r.del(r.conf(), id(1), "net0"))
	res, err = r.add(r.conf("dns", `{"nameservers": ["10.0.0.53"]}`), id(1), "net0")
	require.NoError(t, err)
	require.Equal(t, types.DNS{Nameservers: []string{"10.0.0.53"}}, res.DNS)
	require.NoError(t, r.del(r.conf(), id(1), "net0"))
}

// The host's own network namespace is refused before anything is made; a DEL, which enters none, is done.
func TestOwnNetworkNamespace(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	rt := r.runtime(id(1), "net0")
	rt.NetNS = "/proc/self/ns/net"
	conf := r.conf()
	_, err := r.add(conf, id(1), "net0") // of another namespace, once
	require.NoError(t, err)
	t.Setenv("CNI_NETNS_OVERRIDE", "")
	require.NoError(t, r.DelNetworkList(t.Context(), conf, rt))
	_, err = r.AddNetworkList(t.Context(), conf, rt)
	require.Equal(t, types.ErrInvalidNetNS, code(t, err))
	require.Equal(t, empty, vpp.String())
	require.Empty(t, r.files())
}

// An IPAM that is the plugin itself, by its own name or another, is refused, and starts no chain of processes.
func TestIPAMIsThePlugin(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	count := "echo x >> " + r.dir + "/count; [ $(wc -l < " + r.dir + "/count) -lt 20 ] || exit 1; "
	self, err := os.Readlink(r.dir + "/bin/userspace")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, r.dir+"/bin/another"))
	require.NoError(t, os.Remove(r.dir+"/bin/userspace"))
	require.NoError(t, os.Mkdir(r.dir+"/real", 0o755))
	require.NoError(t, os.Symlink(self, r.dir+"/real/userspace"))
	require.NoError(t, os.WriteFile(r.dir+"/bin/userspace", []byte("#!/bin/sh\n"+count+"exec "+r.dir+"/real/userspace\n"), 0o755))
	for _, name := range []string{"userspace", "another"} {
		_, err = r.add(r.conf("ipam.type", `"`+name+`"`), id(1), "net0")
		require.Equal(t, types.ErrInvalidNetworkConfig, code(t, err), name)
		require.ErrorContains(t, err, "itself")
	}
	text, err := os.ReadFile(r.dir + "/count")
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(text), "x"))
	require.Empty(t, r.files())
}

// An API server that accepts and says nothing keeps no command for long: ADD is to be tried again, DEL is done.
func TestSilentAPIServer(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	_, kubeconfig := r.inKubernetes()
	conf := r.conf("kubeconfig", kubeconfig)
	_, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	r.silence(strings.Trim(kubeconfig, `"`))
	began := time.Now()
	require.NoError(t, r.del(conf, id(1), "net0"))
	require.Equal(t, empty, vpp.String())
	_, err = r.add(conf, id(1), "net0")
	require.Equal(t, types.ErrTryAgainLater, code(t, err))
	require.Less(t, time.Since(began), limit/2)
	require.Empty(t, r.files())
}

// When API server and VPP are both gone, and the result has no place for the socket, DEL still finds the pod's volume.
func TestNobodyTellsOfTheVolume(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	api, kubeconfig := r.inKubernetes()
	conf := r.conf("kubeconfig", kubeconfig, "cniVersion", `"0.3.1"`)
	_, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	require.NotEmpty(t, r.files())
	api.Close()
	vpp.Kill()
	require.NoError(t, r.del(conf, id(1), "net0"))
	require.Empty(t, r.files())
}
