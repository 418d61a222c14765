// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

func faultsOfAgents() []fault {
	return []fault{
		{
			what: "the agent dies before a message", how: "kill -9 before the kth message of a bind goes on, 1 ≤ k ≤ 24",
			n: 3, killed: true, once: func(w *world) { w.killAt(false) },
		}, {
			what: "the agent dies after a message", how: "kill -9 before the kth answer of a bind comes: VPP did it, nobody knows",
			n: 3, killed: true, once: func(w *world) { w.killAt(true) },
		}, {
			what: "the agent dies at any time", how: "kill -9 while ports come, change and go",
			n: 4, killed: true, once: func(w *world) {
				w.churn(3)
				w.pause(150 * time.Millisecond)
				w.kill()
				w.churn(2)
				w.agent(true)
				w.pause(300 * time.Millisecond) // some while they start
			},
		}, {
			what: "the agent and VPP die", how: "kill -9 of both; the agent is back first",
			n: 2, killed: true, died: true, once: func(w *world) {
				w.churn(2)
				w.pause(100 * time.Millisecond)
				w.kill()
				w.die()
				w.agent(true)
				w.withdrawn()
				w.revive()
			},
		}, {
			what: "the agent stands still", how: "SIGSTOP until its leases are over; ports come, change and go meanwhile",
			n: 1, killed: true, once: func(w *world) {
				require.NoError(w, w.child.Signal(syscall.SIGSTOP))
				w.expire()
				w.churn(3)
				require.NoError(w, w.child.Signal(syscall.SIGCONT))
				w.lives()
			},
		}, {
			what: "the agent is restarted", how: "stopped and started, while nobody changes anything, or somebody does",
			n: 3, once: func(w *world) {
				w.a.stop()
				writes := w.proxy.Writes()
				if change := w.random.IntN(2) == 0; change {
					w.churn(2)
					w.agent(false)
					return
				}
				w.agent(false)
				w.settle()
				require.Equal(w, writes, w.proxy.Writes(), "I9: a restart changes nothing")
			},
		}, {
			what: "the agent is upgraded", how: "another version left things in VPP by names that this one has no use for, and said others of etcd's ports",
			n: 2, once: func(w *world) {
				w.a.stop()
				w.leftovers()
				w.agent(false)
				w.churn(1)
			},
		}, {
			what: "two agents of one VPP", how: "the second one waits, says so, and goes on when the first is gone",
			n: 2, also: "I8", once: func(w *world) {
				first := w.a
				w.agent(false)
				w.sees("another agent serves the VPP")
				w.churn(2)
				first.stop()
			},
		}, {
			what: "two agents of one host", how: "the second one, with a VPP of its own, waits and leaves that alone",
			n: 1, also: "I8", once: func(w *world) {
				first, page, socket := w.a, w.page, w.socket
				other := w.fresh()
				w.socket = other.Socket()
				w.agent(false)
				w.sees("another agent serves this host")
				w.churn(2)
				w.a.stop()
				ours, _ := w.found(w.site, other.Socket())
				require.Empty(w, ours)
				w.a, w.page, w.socket = first, page, socket
			},
		}, {
			what: "no file descriptors are left", how: "the agent may open none for 2 seconds, and loses its connections",
			n: 1, killed: true, once: func(w *world) {
				limit := func(n int) {
					text, err := exec.Command("prlimit", "--pid", fmt.Sprint(w.child.Pid), fmt.Sprintf("--nofile=%d:", n)).CombinedOutput()
					require.NoError(w, err, "%s", text)
				}
				limit(3)
				w.wire.Cut()
				w.proxy.Cut()
				w.wire.Mend()
				w.churn(2)
				time.Sleep(2 * time.Second)
				limit(1024)
			},
		},
	}
}

// killAt has the agent die at some message of a bind, or its answer, and starts another one.
func (w *world) killAt(answers bool) {
	dead, kill := make(chan struct{}), w.kill
	w.see.tripAt(1+w.random.IntN(ofABind), answers, func() { kill(); close(dead) })
	w.want(stillPorts+w.random.IntN(busyPorts), 200+w.random.IntN(50), true)
	select {
	case <-dead:
	case <-time.After(3 * time.Second): // it took fewer
		w.see.tripAt(0, false, nil)
		w.kill()
	}
	w.agent(true)
}

// leftovers are what another version of ours may leave: interfaces and a bridge domain by other names, with options in
// tags that nobody knows, and keys in etcd of ports that are no more, or with values of another form.
func (w *world) leftovers() {
	w.Helper()
	c, err := vppnet.Dial(w.Context(), w.vpp.Socket(), "hand")
	require.NoError(w, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.CreateLoopback{}, &interfaces.SwInterfaceTagAddDel{}, &interfaces.SwInterfaceSetFlags{}, &l2.BridgeDomainAddDelV2{}, &l2.SwInterfaceSetL2Bridge{})
	vpp, bridges := interfaces.NewServiceClient(c), l2.NewServiceClient(c)
	bridge, err := bridges.BridgeDomainAddDelV2(w.Context(), &l2.BridgeDomainAddDelV2{BdID: ^uint32(0), IsAdd: true, Flood: true, BdTag: translate.Owner + "/network-100"})
	require.NoError(w, err)
	for _, tag := range []string{"/tap-" + uuid(0), "/port-" + uuid(900) + "+z"} {
		made, err := vpp.CreateLoopback(w.Context(), &interfaces.CreateLoopback{})
		require.NoError(w, err)
		_, err = vpp.SwInterfaceTagAddDel(w.Context(), &interfaces.SwInterfaceTagAddDel{IsAdd: true, SwIfIndex: made.SwIfIndex, Tag: translate.Owner + tag})
		require.NoError(w, err)
		_, err = bridges.SwInterfaceSetL2Bridge(w.Context(), &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: made.SwIfIndex, BdID: bridge.BdID, Enable: true})
		require.NoError(w, err)
	}
	for key, value := range map[string]string{
		"ports/" + uuid(0): "1", "routers/" + uuid(901) + "/" + uuid(902): "1", "errors/" + uuid(902): "an old one", "converged": "12", "vpp": "?",
	} {
		w.set(w.site.State()+key, value)
	}
}

// expire ends all leases: those of an agent that was not heard for too long.
func (w *world) expire() {
	w.Helper()
	all, err := w.client.Leases(w.Context())
	require.NoError(w, err)
	for _, l := range all.Leases {
		_, err := w.client.Revoke(w.Context(), l.ID)
		require.NoError(w, err)
	}
}

// lives waits until the agent says that it lives, and that the host is its own.
func (w *world) lives() {
	w.Helper()
	require.Eventually(w, func() bool {
		got, err := w.client.Get(w.Context(), w.site.State(), clientv3.WithPrefix(), clientv3.WithKeysOnly())
		if err != nil {
			return false
		}
		there := 0
		for _, kv := range got.Kvs {
			if name := strings.TrimPrefix(string(kv.Key), w.site.State()); name == "alive" || name == "agent" {
				there++
			}
		}
		return there == 2
	}, 10*time.Second, 20*time.Millisecond, "it does not say that it lives")
}
