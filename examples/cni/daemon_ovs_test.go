// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// startOVS runs a daemon for the rig's runtime until the test ends. What it does goes through o's proxy,
// which counts.
func (r *rig) startOVS(o *ovstest.OVS) *daemon {
	return r.startOn(dataPlane{netconf.OVS, o.Socket(), followOVS})
}

// What containers have comes back with a new ovs-vswitchd, and with a new database; and nothing is
// written to an OVS that has it.
func TestDaemonRestoresOVS(t *testing.T) {
	onOVS(t, func(r *rig, o *ovstest.OVS) {
		clients := r.conf(ovsConf("host.vhost.mode", `"client"`, "host.bridge.vlanId", `7`)...)
		server := r.conf(ovsConf("name", `"server"`, "ipam.subnet", `"10.57.0.0/24"`)...)
		empty := o.String()
		for n := range 3 {
			_, err := r.add(clients, id(n), "net0")
			require.NoError(r, err)
		}
		d := r.startOVS(o)
		r.converged(d, 3)
		res, err := r.add(server, id(7), "net0")
		require.NoError(r, err)
		r.converged(d, 4)
		full := o.String()
		quiet := o.Writes()
		time.Sleep(time.Second)
		require.Equal(r, quiet, o.Writes(), "nothing is to be done")

		good := func() bool {
			for n := range 3 {
				if r.check(clients, id(n), "net0") != nil {
					return false
				}
			}
			return r.check(server, id(7), "net0") == nil
		}
		for what, restart := range map[string]func(){
			"a new database": func() { o.Restart(true) },
			"a new ovs-vswitchd": func() { // whose starter removes what the last one left
				o.StopSwitch()
				require.NoError(r, os.Remove(socketOfOVS(r, o)))
				o.StartSwitch()
			},
		} {
			restart()
			began := time.Now()
			require.True(r, eventually(60*time.Second, good), "%s:\n%s\n%s\n%v", what, o, o.Log(), r.check(server, id(7), "net0"))
			r.Logf("%s: all is there after %v", what, time.Since(began).Round(time.Millisecond))
			require.Equal(r, full, o.String(), what)
			pod, err := net.Dial("unix", res.Interfaces[0].SocketPath)
			require.NoError(r, err, "%s: the container's socket is OVS's new one", what)
			pod.Close()
		}

		o.Transact(ovsdb.Operation{
			Op: "update", Table: "Port", Row: ovsdb.Row{"tag": 8},
			Where: []ovsdb.Condition{ovsdb.NewCondition("tag", ovsdb.ConditionEqual, 7)},
		})
		require.True(r, eventually(60*time.Second, func() bool { return o.String() == full }), "what is moved by hand is put back")

		// In the middle of this DEL a resync has made the port anew, and lent its socket again.
		_, err = r.add(server, id(8), "net0")
		require.NoError(r, err)
		r.converged(d, 5)
		for _, last := range []string{r.dir + "/s/" + short(id(8)) + "/*.json", r.dir + "/cache/results/*" + id(8) + "*"} {
			names, err := filepath.Glob(last)
			require.NoError(r, err)
			require.Len(r, names, 1, last)
			require.NoError(r, os.Remove(names[0]))
		}
		r.converged(d, 4)
		require.True(r, eventually(60*time.Second, func() bool { return o.String() == full }), "%s", o)
		require.True(r, eventually(60*time.Second, func() bool {
			return !slices.ContainsFunc(r.files(), func(f string) bool { return strings.HasPrefix(f, "s/"+short(id(8))) })
		}), "%v", r.files())
		require.NoError(r, r.del(server, id(8), "net0")) // which goes on

		for n := range 3 {
			require.NoError(r, r.del(clients, id(n), "net0"))
		}
		require.NoError(r, r.del(server, id(7), "net0"))
		r.converged(d, 0)
		require.True(r, eventually(60*time.Second, func() bool { return len(r.files()) == 0 }), "what was lent anew in the middle of a DEL: %v", r.files())
		require.True(r, eventually(60*time.Second, func() bool { return o.String() == empty }), "what was made anew in the middle of a DEL:\n%s", o)
	})
}

// socketOfOVS is the one that OVS itself made.
func socketOfOVS(r *rig, o *ovstest.OVS) string {
	files, err := os.ReadDir(o.VhostDir())
	require.NoError(r, err)
	require.Len(r, files, 1)
	return o.VhostDir() + "/" + files[0].Name()
}

// What the cache does not have is left alone, and one container whose directory cannot be delays no other.
func TestDaemonLeavesWhatItDoesNotKnowOVS(t *testing.T) {
	onOVS(t, func(r *rig, o *ovstest.OVS) {
		conf := r.conf(ovsConf("host.vhost.mode", `"client"`)...)
		for n := range 4 {
			_, err := r.add(conf, id(n), "net0")
			require.NoError(r, err)
		}
		cache := r.dir + "/cache/results/net-"
		require.NoError(r, os.Remove(cache+id(1)+"-net0"))
		dir := r.dir + "/s/" + short(id(2))
		require.NoError(r, os.RemoveAll(dir))
		require.NoError(r, os.Symlink("/etc", dir))
		o.Restart(true)
		there := func(n int) bool { return strings.Contains(o.String(), "port name=net0."+id(n)[:12]) }
		r.startOVS(o)
		require.True(r, eventually(60*time.Second, func() bool { return there(0) && there(3) }))
		require.False(r, there(1) || there(2), o.String())

		_, err := r.add(conf, id(5), "net0")
		require.NoError(r, err)
		require.NoError(r, os.Remove(cache+id(5)+"-net0"), "the runtime has not noted it yet")
		for _, n := range []int{0, 3} { // as DEL does, and then the runtime
			require.NoError(r, os.RemoveAll(r.dir+"/s/"+short(id(n))))
			require.NoError(r, os.Remove(cache+id(n)+"-net0"))
		}
		require.True(r, eventually(60*time.Second, func() bool { return !there(0) && !there(3) }), "whose DEL was seen goes")
		require.True(r, there(5), o.String())
		require.NoError(r, r.del(conf, id(5), "net0"))
	})
}
