// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/kube/kubetest"
	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// inKubernetes has the rig's runtime speak of a pod of an API server, whose volume of sockets is the rig's.
func (r *rig) inKubernetes() (api *kubetest.Server, kubeconfig string) {
	api = kubetest.New(r)
	r.args = [][2]string{{"IgnoreUnknown", "1"}, {"K8S_POD_NAMESPACE", "default"}, {"K8S_POD_NAME", "web"}, {"K8S_POD_UID", "1"}, {"K8S_POD_INFRA_CONTAINER_ID", "x"}}
	api.Put("default", "web", "1", r.dir+"/volume/web", "/sockets/", map[string]any{"theirs": "stays"})
	return api, fmt.Sprintf("%q", api.Kubeconfig(r, r.dir))
}

// told is the list in the pod's annotation.
func told(t testing.TB, api *kubetest.Server) (list []netconf.HandOver) {
	text, ok := api.Annotations("default", "web")[netconf.AnnotationData].(string)
	require.True(t, ok, api.Annotations("default", "web"))
	require.NoError(t, json.Unmarshal([]byte(text), &list))
	return list
}

var untold = map[string]any{"theirs": "stays"}

// With a kubeconfig sockets are in the pod's volume, and its annotation tells of them.
func TestPodIsTold(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	api, kubeconfig := r.inKubernetes()
	log := r.dir + "/log"
	conf := r.conf("kubeconfig", kubeconfig, "logFile", `"`+log+`"`, "logLevel", `"debug"`)
	other := r.conf("kubeconfig", kubeconfig, "name", `"other"`, "host.iftype", `"vhostuser"`, "ipam.subnet", `"10.57.0.0/24"`)
	api.Interfere(3)
	res, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	require.Equal(t, r.dir+"/volume/web/memif-"+short(id(1))+"-net0.sock", res.Interfaces[0].SocketPath)
	_, err = r.add(other, id(1), "net1")
	require.NoError(t, err)
	list := told(t, api)
	require.Len(t, list, 2)
	require.Equal(t, netconf.MemifEnd{Role: "slave", Mode: "ethernet", SocketFile: "memif-" + short(id(1)) + "-net0.sock"}, list[0].Config.Memif)
	require.Equal(t, "10.56.217.2/24", list[0].IPResult.IPs[0].Address.String())
	require.Equal(t, netconf.VhostEnd{Mode: "client", SocketFile: short(id(1)) + "-net1"}, list[1].Config.Vhost)
	require.Equal(t, "/sockets/", api.Annotations("default", "web")[netconf.AnnotationDir])
	require.Equal(t, "theirs", api.Annotations("default", "web")["strange/0"], "what others wrote meanwhile is there")

	require.NoError(t, r.check(conf, id(1), "net0"))
	patches := api.Patches()
	_, err = r.add(conf, id(1), "net0")
	require.NoError(t, err)
	require.Equal(t, patches, api.Patches(), "an ADD that finds all of it writes nothing")
	api.Put("default", "web", "1", r.dir+"/volume/web", "/sockets/", untold)
	require.ErrorContains(t, r.check(conf, id(1), "net0"), "has nothing of interface net0")
	_, err = r.add(conf, id(1), "net0")
	require.NoError(t, err)
	require.NoError(t, r.check(conf, id(1), "net0"))

	_, err = r.add(conf, id(2), "net0")
	require.NoError(t, err, "the pod's container is another one now")
	require.Len(t, told(t, api), 1)
	require.NoError(t, r.del(conf, id(1), "net0"), "and the old one goes late")
	require.Equal(t, id(2), told(t, api)[0].ContainerID)
	require.NoError(t, r.del(conf, id(2), "net0"))
	require.Equal(t, untold, api.Annotations("default", "web"))
	require.NoError(t, r.del(other, id(1), "net1"))
	require.Equal(t, empty, vpp.String())
	require.Empty(t, r.files())
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.NotEmpty(t, text)
	require.NotContains(t, string(text), api.Token())
}

// The pod, its volume and the API server may be gone before the DEL; without them there is no ADD.
func TestPodGoes(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	api, kubeconfig := r.inKubernetes()
	lost := func(version string, end func()) {
		conf := r.conf("kubeconfig", kubeconfig, "cniVersion", `"`+version+`"`)
		_, err := r.add(conf, id(1), "net0")
		require.NoError(t, err)
		end()
		require.NoError(t, r.del(conf, id(1), "net0"), version)
		require.Equal(t, empty, vpp.String(), version)
		require.Empty(t, r.files(), version)
		_, err = r.add(conf, id(1), "net0")
		var said *types.Error
		require.ErrorAs(t, err, &said)
		require.Equal(t, types.ErrTryAgainLater, said.Code)
		require.Equal(t, empty, vpp.String(), version)
		require.Empty(t, r.files(), version)
		api.Put("default", "web", "1", r.dir+"/volume/web", "/", nil)
	}
	lost("1.1.0", func() { api.Delete("default", "web") })
	lost("0.3.1", func() { api.Put("default", "web", "2", r.dir+"/volume/namesake", "/", nil) })
	lost("1.1.0", api.Close)
}

// silence has a kubeconfig name a server that accepts and says nothing.
func (r *rig) silence(kubeconfig string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(r, err)
	r.Cleanup(func() { _ = l.Close() }) // nobody accepts: the kernel does
	text := fmt.Sprintf(`{"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
		"clusters": [{"name": "c", "cluster": {"server": "http://%s"}}], "users": [{"name": "u", "user": {"token": "t"}}]}`, l.Addr())
	require.NoError(r, os.WriteFile(kubeconfig, []byte(text), 0o600))
}
