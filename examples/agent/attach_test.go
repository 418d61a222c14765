// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// withVMs makes ports be bound only with their VMs.
func withVMs(a *agent) { a.alone = false }

// That a VM's driver comes up, or goes, is an event: nobody has to look for it.
func TestADriverIsNoticedWithoutALook(t *testing.T) {
	r, v := newRig(t), memory(t)
	r.put("h1", uuid(0), port(100))
	a := r.agent(r.siteOf("h1", nic), v.Socket(), withVMs, func(a *agent) { a.looks = time.Hour })
	r.converged(a)
	require.Empty(t, r.boundNow("h1"))
	v.LinkUp("VirtualEthernet0/0/0", true)
	r.bound("h1", uuid(0))
	v.LinkUp("VirtualEthernet0/0/0", false)
	r.bound("h1")
}

// A port is bound when its VM has attached, not when VPP has it, and no longer than that: by
// what VPP tells of a VM that runs, and by what it shows of one that waits.
func TestBoundMeansAttached(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	for i := range 3 {
		r.put("h1", uuid(i), port(100))
	}
	a := r.agent(site, v.Socket(), withVMs)
	r.converged(a)
	time.Sleep(1500 * time.Millisecond)
	require.Empty(t, r.boundNow("h1"))
	said, _ := r.said("h1", "errors/")
	require.Empty(t, said, "to wait is no error")

	v.LinkUp("VirtualEthernet0/0/1", true) // whichever port that is
	require.Eventually(t, func() bool { return len(r.boundNow("h1")) == 1 }, 10*time.Second, time.Millisecond)
	v.LinkUp("VirtualEthernet0/0/1", false)
	r.bound("h1")
	v.Listen(site.Dir+"/"+uuid(2), true) // paused, as Nova starts it
	r.bound("h1", uuid(2))
	v.Listen(site.Dir+"/"+uuid(3), true) // before its port
	r.put("h1", uuid(3), port(200))
	r.bound("h1", uuid(2), uuid(3))
	v.Listen(site.Dir+"/"+uuid(2), false)
	r.bound("h1", uuid(3))

	// One that is bound is answered whenever its key is put.
	done, err := r.client.Put(t.Context(), site.Ports()+uuid(3), port(200))
	require.NoError(t, err)
	r.answeredSince(done.Header.Revision, "h1", uuid(3))
	var says struct{ Revision int64 }
	require.NoError(t, json.Unmarshal([]byte(r.boundNow("h1")[uuid(3)]), &says))
	require.Equal(t, done.Header.Revision, says.Revision)

	// A restart of the agent withdraws nothing.
	a.stop()
	events := r.client.Watch(t.Context(), site.State()+"ports/", clientv3.WithPrefix())
	a = r.agent(site, v.Socket(), withVMs)
	require.Eventually(t, a.announcer.settled.Load, 10*time.Second, time.Millisecond)
	time.Sleep(time.Second)
	select {
	case w := <-events:
		require.Empty(t, w.Events)
	default:
	}
	r.bound("h1", uuid(3))
}

// Both the agent and VPP died. Who comes back withdraws what was said of the VPP that is
// gone before it makes anything, whether there is another VPP by then or none.
func TestAfterBothDiedAllIsWithdrawnFirst(t *testing.T) {
	for _, how := range []string{"another VPP", "no VPP"} {
		t.Run(how, func(t *testing.T) {
			r, v := newRig(t), memory(t)
			site := r.siteOf("h1", nic)
			r.put("h1", uuid(0), port(100))
			a := r.agent(site, v.Socket())
			r.bound("h1", uuid(0))
			r.converged(a)
			require.Eventually(t, func() bool { said, _ := r.said("h1", "vpp"); return len(said) > 0 }, 10*time.Second, time.Millisecond)
			a.stop()
			v.Kill()
			if how == "another VPP" {
				require.NoError(t, v.Restart())
				v.ResetLog()
			}
			events := r.client.Watch(t.Context(), site.State()+"ports/", clientv3.WithPrefix())
			b := r.agent(site, v.Socket())
			select {
			case w := <-events:
				require.Equal(t, clientv3.EventTypeDelete, w.Events[0].Type)
			case <-time.After(3 * time.Second):
				require.Fail(t, "it is said to be bound still")
			}
			if how == "no VPP" {
				require.NoError(t, v.Restart())
			}
			r.bound("h1", uuid(0))
			r.converged(b)
		})
	}
}

// Whatever somebody changes by hand, of which VPP tells nobody, is seen within --audit: the port
// is not bound until it is repaired.
func TestAPortChangedByHandIsNotBound(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.put("h1", uuid(0), secured(100, "10.0.0.5"))
	r.put("h1", uuid(1), port(100))
	a := r.agent(site, v.Socket(), func(a *agent) { a.audit = time.Second })
	r.bound("h1", uuid(0), uuid(1))
	r.converged(a)
	have, _ := r.found(site, v.Socket())
	index := interface_types.InterfaceIndex(have[vppnet.InterfaceKey("port-"+uuid(1))].ID)

	// What repairs it is refused for a while.
	v.Inject(vpptest.Fault{Message: "sw_interface_set_l2_bridge", Nth: 2, Times: 3, Kind: vpptest.Refuse, Retval: -1})
	c, err := vppnet.Dial(t.Context(), v.Socket(), "hand")
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	c.Uses(&l2.SwInterfaceSetL2Bridge{})
	_, err = l2.NewServiceClient(c).SwInterfaceSetL2Bridge(t.Context(), &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: index, BdID: 0, Enable: false})
	require.NoError(t, err)
	r.bound("h1", uuid(0))
	v.Heal()
	r.bound("h1", uuid(0), uuid(1))
	r.converged(a)
	require.Contains(t, a.log.String(), "drifted")
}

// On a real VPP: a VM that QEMU holds paused until its port is bound, as Nova does, is bound,
// and it is unbound when it is gone.
func TestBoundWhileTheVMIsPaused(t *testing.T) {
	v := vpptest.Real(t)
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("NOT TESTED WITH A VM: no qemu-system-x86_64 on PATH")
	}
	r := newRig(t)
	r.loopback(v.Socket())
	site := r.siteOf("h1", "loop0")
	site.Dir = shortDir(t)
	r.put("h1", uuid(0), port(100))
	r.put("h1", uuid(1), port(100))
	a := r.agent(site, v.Socket(), withVMs)
	r.converged(a)
	vm := exec.Command(qemu, "-S", "-nographic", "-nodefaults", "-m", "64", "-object", "memory-backend-memfd,id=m,size=64M,share=on",
		"-numa", "node,memdev=m", "-chardev", "socket,id=c,server=on,path="+filepath.Join(site.Dir, uuid(0)),
		"-netdev", "vhost-user,id=n,chardev=c", "-device", "virtio-net-pci,netdev=n")
	require.NoError(t, vm.Start())
	defer func() { _ = vm.Process.Kill(); _ = vm.Wait() }()
	r.bound("h1", uuid(0))
	require.NoError(t, vm.Process.Kill())
	_ = vm.Wait()
	began := time.Now()
	r.bound("h1")
	t.Logf("unbound after %v", time.Since(began))
	require.Less(t, time.Since(began), 10*time.Second)
}

// And one that runs: bound when its driver is up, unbound when it goes, whichever side makes
// the socket.
func TestBoundWithAGuest(t *testing.T) {
	for _, server := range []bool{false, true} {
		v := vpptest.Real(t)
		r := newRig(t)
		r.loopback(v.Socket())
		site := r.siteOf("h1", "loop0")
		site.Dir, site.Server = shortDir(t), server
		value := strings.Replace(port(100), "fa:16:3e:00:10:01", "02:00:00:00:00:0a", 1)
		r.put("h1", uuid(0), value)
		a := r.agent(site, v.Socket(), withVMs)
		r.converged(a)
		time.Sleep(4 * time.Second)
		require.Empty(t, r.boundNow("h1"))
		g := netrig.Boot(t, "g", site.Dir+"/"+uuid(0), server, "02:00:00:00:00:0a", "10.77.0.1/24")
		r.bound("h1", uuid(0))
		g.Stop()
		r.bound("h1")
		a.stop()
	}
}
