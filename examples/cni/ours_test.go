// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
	"github.com/vppkit/vppkit/vpptest"
)

// leaseFile is what the rig's files call that of an attachment.
func leaseFile(network, container, ifName string) string {
	return "own/" + lease{&Attachment{Network: network, ContainerID: container, IfName: ifName}}.file()
}

// listening has a socket be listened on, as a data plane does that is not in memory.
func listening(t *testing.T, socket string) (end func()) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: socket})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	return func() { require.NoError(t, l.Close()) }
}

// Of two interfaces of a container that are to have one socket the second is refused, and the first keeps it.
func TestSocketOfAnotherInterfaceStays(t *testing.T) {
	for name, on := range map[string]func(t *testing.T) string{
		"in memory": func(t *testing.T) string { return newVPP(t).Socket() },
		"real":      func(t *testing.T) string { return vpptest.Real(t).Socket() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, on(t))
			conf := r.conf("host.memif.socketfile", `"app.sock"`)
			res, err := r.add(conf, id(1), "net1")
			require.NoError(t, err)
			socket, end := res.Interfaces[0].SocketPath, func() {}
			if name == "in memory" {
				end = listening(t, socket)
			}
			require.FileExists(t, socket)
			_, err = r.add(conf, id(1), "net2")
			require.ErrorContains(t, err, "app.sock")
			var said *types.Error
			require.ErrorAs(t, err, &said)
			require.Equal(t, types.ErrInvalidNetworkConfig, said.Code)
			require.FileExists(t, socket)
			require.NoError(t, r.del(conf, id(1), "net2"))
			require.FileExists(t, socket)
			require.NoError(t, r.check(conf, id(1), "net1"))
			end()
			require.NoError(t, r.del(conf, id(1), "net1"))
			require.Empty(t, r.files())
		})
	}
}

// A DEL that comes late leaves the socket to the container that has its name now.
func TestLateDelLeavesANamesakesSocket(t *testing.T) {
	for name, on := range map[string]func(t *testing.T) string{
		"in memory": func(t *testing.T) string { return newVPP(t).Socket() },
		"real":      func(t *testing.T) string { return vpptest.Real(t).Socket() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, on(t))
			_, kubeconfig := r.inKubernetes()
			conf := r.conf("kubeconfig", kubeconfig, "host.memif.socketfile", `"app.sock"`)
			_, err := r.add(conf, id(1), "net0")
			require.NoError(t, err)
			require.NoError(t, r.del(conf, id(1), "net0"))
			res, err := r.add(conf, id(2), "net0")
			require.NoError(t, err)
			if name == "in memory" {
				listening(t, res.Interfaces[0].SocketPath)
			}
			require.NoError(t, r.del(conf, id(1), "net0"))
			require.FileExists(t, res.Interfaces[0].SocketPath)
			require.NoError(t, r.check(conf, id(2), "net0"))
		})
	}
}

// The socket that a container made goes with its attachment, and with no other.
func TestSocketOfTheContainer(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf := r.conf("host.memif.role", `"slave"`, "host.memif.socketfile", `"app.sock"`)
	res, err := r.add(conf, id(1), "net1")
	require.NoError(t, err)
	socket := res.Interfaces[0].SocketPath
	listening(t, socket)
	require.NoError(t, r.del(conf, id(1), "net2"))
	require.FileExists(t, socket)
	require.NoError(t, r.del(conf, id(1), "net1"))
	require.Empty(t, r.files())
}

// OVS's own sockets are linked to: a link to one that another port listens on is not replaced.
func TestOVSSocketOfAnotherInterfaceStays(t *testing.T) {
	onOVS(t, func(r *rig, _ *ovstest.OVS) {
		conf := r.conf(ovsConf("host.vhost.socketfile", `"app.sock"`)...)
		res, err := r.add(conf, id(1), "net1")
		require.NoError(r, err)
		is, err := os.Lstat(res.Interfaces[0].SocketPath)
		require.NoError(r, err)
		_, err = r.add(conf, id(1), "net2")
		require.ErrorContains(r, err, "somebody listens on")
		var said *types.Error
		require.ErrorAs(r, err, &said)
		require.Equal(r, types.ErrInvalidNetworkConfig, said.Code)
		still, err := os.Lstat(res.Interfaces[0].SocketPath)
		require.NoError(r, err)
		require.True(r, os.SameFile(is, still))
		require.NoError(r, r.check(conf, id(1), "net1"))
		require.NoError(r, r.del(conf, id(1), "net1"))
		require.Empty(r, r.files())
	})
}

// What tells two attachments apart also tells their files apart; what runtimes draw keeps its short name.
func TestNamesOfFiles(t *testing.T) {
	for id, want := range map[string]string{
		id(1):                                  id(1)[:12],
		strings.Repeat("ab", 16):               "abababababab",
		"8d1d2c3e-7c1b-4f3a-9b1a-001122334455": "8d1d2c3e-7c1",
		"8d1d2c3e-7c1b-7f3a-cb1a-001122334455": "8d1d2c3e-7c1",
		"0192d2c3-7c1b-7f3a-9b1a-001122334455": digest("0192d2c3-7c1b-7f3a-9b1a-001122334455", 12),
		"web":                                  "web",
		"cnitool-2b8a3c4d5e6f70819203":         "cnitool-2b8a3c4d5e6f70819203",
		"0000000000001":                        "0000000000001",
	} {
		require.Equal(t, want, short(id))
	}
	require.Equal(t, "net0", fileName("net0"))
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	sockets := map[string]bool{}
	all := [][2]string{
		{"kata-sandbox-of-the-node-000000000000001", "net0"},
		{"kata-sandbox-of-the-node-000000000000002", "net0"},
		{"deadbeefcafe-1", "net0"},
		{"deadbeefcafe-2", "net0"},
		{"web", "a@1"},
		{"web", "a_1"},
	}
	for _, a := range all {
		res, err := r.add(r.conf(), a[0], a[1])
		require.NoError(t, err, a)
		sockets[res.Interfaces[0].SocketPath] = true
	}
	require.Len(t, sockets, len(all))
	for _, a := range all {
		require.NoError(t, r.check(r.conf(), a[0], a[1]), a)
		require.NoError(t, r.del(r.conf(), a[0], a[1]), a)
	}
	require.Equal(t, empty, vpp.String())
	require.Empty(t, r.files())
}

// Where the hand-over of another attachment lies, there is no ADD, and what is there stays.
func TestHandOverOfAnother(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf, other := r.conf(), r.conf("name", `"other"`, "ipam.subnet", `"10.57.0.0/24"`)
	_, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	before, files := vpp.String(), r.files()
	_, err = r.add(other, id(1), "net0")
	var said *types.Error
	require.ErrorAs(t, err, &said)
	require.Equal(t, types.ErrInvalidNetworkConfig, said.Code)
	require.ErrorContains(t, err, "in network net: that has to be deleted before")
	require.NoError(t, r.del(other, id(1), "net0"))
	require.Equal(t, before, vpp.String())
	require.Equal(t, files, r.files())
	require.NoError(t, r.check(conf, id(1), "net0"))
}

// Where Multus wants its file is somebody else's: an ADD that fails, an ADD, and a DEL leave it.
func TestDeviceInfoOfAnother(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	victim, link := r.dir+"/victim", r.dir+"/link"
	require.NoError(t, os.WriteFile(victim, []byte("keep"), 0o600))
	require.NoError(t, os.Symlink(victim, link))
	for _, device := range []string{victim, link} {
		file := []string{"runtimeConfig.CNIDeviceInfoFile", fmt.Sprintf("%q", device)}
		stays := func() {
			text, err := os.ReadFile(device)
			require.NoError(t, err)
			require.Equal(t, "keep", string(text))
		}
		_, err := r.add(r.conf(append(file, "ipam.subnet", `"10.0.0.0/32"`)...), id(1), "net0")
		require.Error(t, err)
		stays()
		_, err = r.add(r.conf(file...), id(1), "net0")
		require.NoError(t, err)
		stays()
		require.NoError(t, r.del(r.conf(file...), id(1), "net0"))
		stays()
	}
	conf := r.conf("runtimeConfig.CNIDeviceInfoFile", fmt.Sprintf("%q", r.dir+"/device"))
	for n := 1; r.killed(n, func() error { _, err := r.add(conf, id(1), "net0"); return err }); n++ {
		require.NoError(t, r.del(conf, id(1), "net0"))
		left, err := filepath.Glob(r.dir + "/*device*")
		require.NoError(t, err)
		require.Empty(t, left, "killed at step %d", n)
	}
}

// A container that swaps its socket for a link has no file of the host opened to its group.
func TestGroupOfASocketFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim, socket, link := dir+"/victim", dir+"/sock", dir+"/link"
	require.NoError(t, os.WriteFile(victim, nil, 0o600))
	listening(t, dir+"/own")
	s := share{&Attachment{Socket: socket, Conf: &netconf.Conf{Host: netconf.End{Vhost: netconf.VhostEnd{Group: fmt.Sprint(os.Getgid())}}}}}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_ = os.Link(dir+"/own", link)
				_ = os.Rename(link, socket)
				_ = os.Symlink(victim, link)
				_ = os.Rename(link, socket)
			}
		}
	}()
	defer func() { close(stop); <-done }()
	opened := func() bool {
		f, err := os.Stat(dir + "/own")
		require.NoError(t, err)
		return f.Mode().Perm() == 0o660
	}
	for n := 0; n < 3000 || !opened(); n++ {
		require.NoError(t, s.open())
		f, err := os.Stat(victim)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), f.Mode().Perm(), "after %d tries", n)
	}
}

// A link in place of a directory is refused, whoever asks.
func TestDirectoryFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(dir+"/victim", 0o700))
	require.NoError(t, os.Symlink(dir+"/victim", dir+"/"+making+"web"))
	a := &Attachment{ContainerID: id(1), IfName: "net0", Network: "net", Socket: dir + "/web/sock", Conf: &netconf.Conf{}}
	a.Conf.Host.Vhost.Group = fmt.Sprint(os.Getgid())
	require.ErrorIs(t, share{a}.write(a.HandOver(&types100.Result{})), syscall.ENOTDIR)
	f, err := os.Stat(dir + "/victim")
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), f.Mode().Perm())
	files, err := os.ReadDir(dir + "/victim")
	require.NoError(t, err)
	require.Empty(t, files)
	require.NoError(t, share{a}.write(a.HandOver(&types100.Result{})), "the link is gone")
}

// Who may open the directory of VPP's socket cannot keep commands from it, and who has made it that he could is
// told of.
func TestLockIsTheirsAlone(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	f, err := os.Open(filepath.Dir(vpp.Socket()))
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_SH))
	began := time.Now()
	_, err = r.add(r.conf(), id(1), "net0")
	require.NoError(t, err)
	require.Less(t, time.Since(began), limit)
	here, err := os.Stat(r.dir + "/own")
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), here.Mode().Perm())
	files, err := os.ReadDir(r.dir + "/own")
	require.NoError(t, err)
	require.Len(t, files, 2, "lock and lease: that of the command has gone with it")
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), f.Name())
	}

	link := r.dir + "/link"
	require.NoError(t, os.Symlink(filepath.Dir(vpp.Socket()), link))
	require.Equal(t, spelled(vpp.Socket()), spelled(link+"/"+filepath.Base(vpp.Socket())), "one socket has one lock")

	require.NoError(t, os.Chmod(r.dir+"/own", 0o755))
	_, err = r.add(r.conf(), id(2), "net0")
	require.ErrorContains(t, err, "want mode 0700")
	require.ErrorContains(t, r.GetStatusNetworkList(t.Context(), r.conf()), "want mode 0700")
}

// A container cannot have another's address by writing it into its hand-over file.
func TestForgedHandOver(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf := r.conf(append(r.ipam("flaky", away), "host.netType", `"interface"`)...)
	res, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	victim, err := r.add(conf, id(2), "net0")
	require.NoError(t, err)
	file := filepath.Join(filepath.Dir(res.Interfaces[0].SocketPath), netconf.HandOverFile(short(id(1)), "net0"))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	stolen := strings.ReplaceAll(string(text), res.IPs[0].Address.IP.String()+"/", victim.IPs[0].Address.IP.String()+"/")
	require.NotEqual(t, string(text), stolen)
	require.NoError(t, os.Remove(file))
	r.down()
	_, err = r.add(conf, id(1), "net0")
	require.ErrorContains(t, err, "away")
	require.Contains(t, vpp.String(), short(id(1)), "without a hand-over, too, a second ADD that fails leaves what the first made")
	r.up()
	require.NoError(t, os.WriteFile(file, []byte(stolen), 0o644))
	again, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	require.Equal(t, res.IPs, again.IPs)
	require.NoError(t, r.check(conf, id(1), "net0"))
	require.NoError(t, r.check(conf, id(2), "net0"))
}

// GC gives an address back of which a container has removed what tells of it, and tries again what IPAM refuses.
func TestGCKnowsLeases(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	flaky := "#!/bin/sh\nif [ -e " + r.dir + "/down ] && [ $CNI_COMMAND = DEL ]; then echo '{\"code\":11,\"msg\":\"away\"}'; exit 1; fi\nexec " + r.dir + "/bin/host-local\n"
	require.NoError(t, os.WriteFile(r.dir+"/bin/flaky", []byte(flaky), 0o755))
	conf := r.conf("ipam.type", `"flaky"`)
	res, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	_, err = r.add(r.conf("name", `"other"`), id(1), "net1")
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(filepath.Dir(res.Interfaces[0].SocketPath), netconf.HandOverFile(short(id(1)), "net0"))))
	require.NoError(t, os.RemoveAll(r.dir+"/cache"))
	require.NoError(t, os.WriteFile(r.dir+"/down", nil, 0o600))
	require.Error(t, r.GCNetworkList(t.Context(), conf, none))
	require.NoError(t, os.Remove(r.dir+"/down"))
	require.NoError(t, r.GCNetworkList(t.Context(), conf, none))
	require.Equal(t, []string{
		"ipam/other/10.56.217.2", leaseFile("other", id(1), "net1"),
		"s/" + short(id(1)), "s/" + short(id(1)) + "/" + netconf.HandOverFile(short(id(1)), "net1"),
	}, r.files(), "the other network's")
}

// The pod's own directory, which somebody else has made, stays, and so do files that are not ours.
func TestDirectoryOfThePodStays(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	_, kubeconfig := r.inKubernetes()
	require.NoError(t, os.MkdirAll(r.dir+"/volume/web", 0o755))
	conf := r.conf("kubeconfig", kubeconfig)
	_, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	require.NoError(t, r.del(conf, id(1), "net0"))
	require.DirExists(t, r.dir+"/volume/web")
	require.Empty(t, r.files())
}

// STATUS says that no ADD could be done, as sockets may not be, or cannot be, where they are to be.
func TestStatusOfTheDirectory(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	require.NoError(t, r.GetStatusNetworkList(t.Context(), r.conf()), "what is not there is made")
	require.NoError(t, os.Mkdir(r.dir+"/s", 0o755))
	require.NoError(t, os.Chmod(r.dir+"/s", 0o777))
	_, err := r.add(r.conf(), id(1), "net0")
	require.ErrorContains(t, err, "has mode 0777")
	require.ErrorContains(t, r.GetStatusNetworkList(t.Context(), r.conf()), "has mode 0777")
	const readOnly = "/proc/sys/none" // nobody can make anything there
	text, err := json.Marshal(readOnly)
	require.NoError(t, err)
	require.ErrorContains(t, r.GetStatusNetworkList(t.Context(), r.conf("sharedDir", string(text))), "nothing can be made in")
}
