// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/vppnet"
)

// An etcd that lost its data does not cost the data plane, until somebody says
// that it shall.
func TestEtcdLosesItsData(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	want := map[string]int{}
	for i := range 20 {
		want[uuid(i)] = 100
		r.put("h1", uuid(i), port(100))
	}
	a := r.agent(site, v.Socket())
	r.bound("h1", names(want)...)
	require.NoError(t, a.store.Wait(t.Context()))
	a.stop()
	before := v.String()

	empty := newRig(t)
	path, page := paged(t)
	held := make(chan error, 100)
	b := empty.agent(site, v.Socket(), page, func(a *agent) {
		a.watcher = func(e desiredstate.Event) {
			if e.Type == desiredstate.HeldBack {
				held <- e.Err
			}
		}
	})
	require.ErrorIs(t, <-held, desiredstate.ErrMassDelete)
	empty.put("h1", uuid(0), port(100)) // what is wanted is done meanwhile
	empty.bound("h1", uuid(0))
	require.Equal(t, before, v.String())
	require.Zero(t, b.writes.Load())

	empty.amissIs(path, "held", "are not removed before", true)
	require.Equal(t, 2, command(t.Context(), []string{"confirm", "--socket", path}, io.Discard, io.Discard), "confirm what?")
	require.NotZero(t, command(t.Context(), []string{"confirm", "none", "--socket", path}, io.Discard, io.Discard))
	said := new(strings.Builder)
	require.Equal(t, exitWrong, command(t.Context(), []string{"status", "--socket", path}, said, os.Stderr))
	_, token, _ := strings.Cut(said.String(), "agent confirm ")
	token, _, _ = strings.Cut(token, "\n")
	require.Contains(t, said.String(), "  - interface/")
	require.Equal(t, before, v.String())
	require.Zero(t, command(t.Context(), []string{"confirm", token, "--socket", path}, io.Discard, os.Stderr))
	require.Eventually(t, func() bool {
		ours, _ := empty.found(site, v.Socket())
		return len(ours) == 8 // a network, its uplink, a port
	}, 10*time.Second, 10*time.Millisecond)
	empty.whole(site, v.Socket(), map[string]int{uuid(0): 100})
}

// Nor is an empty list an order on a host with one port, whatever else the host wants
// by itself; that a key is there and wants nothing is one.
func TestASmallHostAndAnEmptyList(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.put("h1", uuid(0), port(100))
	a := r.agent(site, v.Socket())
	r.bound("h1", uuid(0))
	r.converged(a)
	before := v.String()
	ports := follow.Range(site.Ports())
	a.inbox.Listed(ports, nil)
	a.inbox.Settled(true)
	require.Eventually(t, func() bool { _, ok := a.store.Held(); return ok }, 10*time.Second, time.Millisecond)
	require.Equal(t, before, v.String())
	require.NotNil(t, a.status().Held)

	key := site.Ports() + uuid(0)
	a.inbox.Listed(ports, map[string][]byte{key: []byte(port(100))})
	a.inbox.Settled(true)
	r.converged(a)
	require.Nil(t, a.status().Held)
	require.Equal(t, before, v.String())
	a.inbox.Listed(ports, map[string][]byte{key: []byte("junk")})
	a.inbox.Settled(true)
	r.converged(a)
	ours, _ := r.found(site, v.Socket())
	require.Len(t, ours, 1, "but for the uplink's link")
}

// Who is behind other hosts stays known with the ports that are held back, however many hosts say so: these do not
// show that this one's keys are all there. With a port that is the only one that a list lacks, its network goes.
func TestLostPortsOfOverlays(t *testing.T) {
	for _, c := range []struct {
		ports, left int // in network 10
		other       int // ports, in network 11
		held        bool
	}{{4, 0, 0, true}, {4, 1, 0, true}, {1, 0, 3, false}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			r, v := newRig(t), memory(t)
			site := r.overlaid("h1", 1)
			for n := 2; n < 8; n++ {
				r.set(fmt.Sprintf("%s10/h%d/10.0.1.%d", translate.Networks, n, n), fmt.Sprintf(`{"mac":"fa:16:3e:01:00:%02x","host":"192.0.2.%d"}`, n, n))
			}
			want := map[string]int{}
			stay := map[string][]byte{}
			for n := range c.ports + c.other {
				vni := 10 + n/c.ports
				value := inVNI(vni, fmt.Sprintf("fa:16:3e:00:00:%02x", n), fmt.Sprintf("10.0.0.%d", n+1))
				r.put("h1", uuid(n), value)
				if want[uuid(n)] = vni; n < c.left || n >= c.ports {
					stay[site.Ports()+uuid(n)] = []byte(value)
				}
			}
			a := r.agent(site, v.Socket())
			r.bound("h1", names(want)...)
			eid := gpe.RemoteEIDKey(10, gpe.MACEID(vppnet.MAC{0xfa, 0x16, 0x3e, 1, 0, 2}))
			require.Eventually(t, func() bool { s, _ := a.store.Status(eid); return s.State == desiredstate.Applied }, longest, tick)
			r.converged(a)
			before := v.String()
			a.inbox.Listed(follow.Range(site.Ports()), stay)
			a.inbox.Settled(true)
			if !c.held {
				require.Eventually(t, func() bool { _, is := a.store.Status(eid); return !is }, longest, tick)
				return
			}
			require.Eventually(t, func() bool { _, held := a.store.Held(); return held }, longest, tick)
			r.put("h1", uuid(50), port(100))
			require.Eventually(t, func() bool {
				s, _ := a.store.Status(vppnet.LinkKey("port-" + uuid(50)))
				return s.State == desiredstate.Applied
			}, longest, tick)
			for line := range strings.Lines(before) {
				require.Contains(t, v.String(), line)
			}
		})
	}
}

// An etcd that is restored has what hosts said of themselves at the time; they say at once what is so, though nothing
// of it changed.
func TestHostsSpeakToAnEtcdThatWasRolledBack(t *testing.T) {
	etcd := etcdtest.Start(t)
	r := rigOn(t, etcd.URL())
	mac := "fa:16:3e:00:00:01"
	r.put("h1", uuid(1), inVNI(10, mac, "10.0.0.1"))
	r.set(translate.Networks+"10/h1/10.0.0.9", `{"mac":"fa:16:3e:00:00:09","host":"192.0.2.1"}`) // of a VM that has moved
	before := etcd.Save()
	r.agent(r.overlaid("h1", 1), memory(t).Socket(), func(a *agent) { a.announcer.world.Resync = time.Hour })
	says := func() {
		t.Helper()
		require.Eventually(t, func() bool {
			got, err := r.client.Get(t.Context(), translate.Networks, clientv3.WithPrefix())
			return err == nil && len(got.Kvs) == 1 && string(got.Kvs[0].Key) == translate.Networks+"10/h1/10.0.0.1"
		}, longest, tick)
	}
	says()
	etcd.Restore(before)
	says()
}

func TestEtcdIsAway(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.put("h1", uuid(0), port(100))
	a := r.agent(site, v.Socket())
	r.bound("h1", uuid(0))
	require.NoError(t, a.store.Wait(t.Context()))
	writes, before := a.writes.Load(), v.String()
	r.etcd.Stop()
	time.Sleep(time.Second)
	require.Equal(t, before, v.String())
	require.Equal(t, writes, a.writes.Load())

	// VPP may even restart meanwhile: what was wanted is known.
	require.NoError(t, v.Restart())
	require.Eventually(t, func() bool { _, ok := a.store.Converged(); return ok && a.writes.Load() > writes }, 20*time.Second, 10*time.Millisecond)
	r.whole(site, v.Socket(), map[string]int{uuid(0): 100})
	require.NoError(t, r.etcd.Start())
	r.put("h1", uuid(1), port(100))
	r.bound("h1", uuid(0), uuid(1))
}
