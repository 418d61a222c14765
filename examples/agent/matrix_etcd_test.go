// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func faultsOfEtcd() []fault {
	return []fault{
		{
			what: "etcd dies", how: "kill -9, and started again with its data; some seconds without",
			n: 2, process: true, also: "I8", once: func(w *world) {
				w.churn(2)
				w.server.Kill()
				w.sees("is not heard")
				w.server.Start()
				w.churn(2)
			},
		}, {
			what: "etcd is out of reach", how: "connections break and are refused; ports come, change and go meanwhile",
			n: 3, once: func(w *world) {
				w.churn(2)
				w.wire.Cut()
				w.churn(3)
				w.pause(time.Second)
				w.wire.Mend()
			},
		}, {
			what: "etcd is silent", how: "packets are lost for 12 seconds, one way or both",
			n: 1, once: func(w *world) {
				way := w.random.IntN(3)
				w.wire.Blackhole(way != 0, way != 1)
				w.churn(3)
				time.Sleep(12 * time.Second)
				w.wire.Mend()
			},
		}, {
			what: "etcd is slow", how: "300 ms for each packet, either way",
			n: 1, also: "I6", once: func(w *world) {
				w.wire.Slow(300 * time.Millisecond)
				w.churn(3)
				w.serves()
				w.wire.Mend()
			},
		}, {
			what: "etcd was compacted", how: "beyond what the agent has seen, while it is out of reach",
			n: 2, once: func(w *world) {
				w.wire.Cut()
				w.churn(4)
				_, err := w.client.Compact(w.Context(), w.at, clientv3.WithCompactPhysical())
				require.NoError(w, err)
				w.wire.Mend()
			},
		}, {
			what: "etcd is rolled back", how: "killed, and started with a copy of its data of before; its revisions come again",
			n: 2, process: true, once: (*world).rollBack,
		}, {
			what: "etcd is restored from a snapshot", how: "etcdctl snapshot restore: another cluster, as it was before",
			n: 1, process: true, once: (*world).restore,
		}, {
			what: "etcd is emptied", how: "started without data; the writer writes all anew 3 seconds later",
			n: 1, process: true, also: "I8", once: func(w *world) {
				w.server.Restore("")
				w.listen()
				w.sees("are not removed before somebody confirms")
				time.Sleep(3 * time.Second)
				w.writeAll()
			},
		}, {
			what: "another etcd answers", how: "an empty one, at the same address, for 3 seconds",
			n: 1, also: "I8", once: func(w *world) {
				w.wire.Reroute(newRig(w.T).url)
				w.sees("are not removed before somebody confirms")
				time.Sleep(3 * time.Second)
				w.wire.Reroute(w.direct)
				w.churn(2)
			},
		}, {
			what: "etcd's disk is full", how: "NOSPACE: it takes no writes; VPP dies meanwhile",
			n: 1, died: true, once: func(w *world) {
				w.alarm(pb.AlarmRequest_ACTIVATE)
				w.die()
				w.withdrawn() // deletions it takes
				w.revive()
				require.Eventually(w, func() bool { return w.differs() == "" }, 30*time.Second, 50*time.Millisecond, "VPP is served all the same")
				w.alarm(pb.AlarmRequest_DEACTIVATE)
				w.churn(2)
			},
		}, {
			what: "leases end", how: "all of them at once, by hand; and alive is deleted",
			n: 2, once: func(w *world) {
				w.expire()
				w.lives()
				w.set(w.site.State()+"alive", "")
				w.churn(1)
				w.lives()
			},
		}, {
			what: "what the agent says is changed", how: "its keys are deleted, or say something else",
			n: 1, once: func(w *world) {
				w.set(w.site.State()+"ports/"+uuid(0), "")
				w.set(w.site.State()+"errors/"+uuid(99), "{}")
				w.churn(1)
			},
		}, {
			what: "events are lost, or come twice", how: "a third of what watches tell is dropped, a third is told again",
			n: 2, with: func(a *agent) { a.etcd.Watcher = lossy{a.etcd.Watcher} }, once: func(w *world) { w.churn(6) },
		}, {
			what: "the leader is lost", how: "of three members: one dies, or stands still for 4 seconds",
			n: 2, members: 3, once: func(w *world) {
				i := w.random.IntN(3)
				if w.random.IntN(2) == 0 {
					w.server.KillOne(i)
					w.churn(3)
					time.Sleep(2 * time.Second)
					w.server.Start()
					return
				}
				w.server.Hold(i)
				w.churn(2)
				time.Sleep(4 * time.Second)
				w.server.Go(i)
			},
		}, {
			what: "VPP dies while etcd is away", how: "kill -9 of VPP, connections to etcd are refused",
			n: 2, died: true, once: func(w *world) {
				w.churn(2)
				w.settle()
				w.wire.Cut()
				w.die()
				w.pause(300 * time.Millisecond)
				w.revive()
				require.Eventually(w, func() bool { return w.differs() == "" }, 30*time.Second, 50*time.Millisecond, "what was wanted is known")
				w.wire.Mend()
			},
		},
	}
}

// lossy is a watcher that drops some of what it hears, and tells some twice.
type lossy struct {
	clientv3.Watcher
}

func (l lossy) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	heard, told := l.Watcher.Watch(ctx, key, opts...), make(chan clientv3.WatchResponse)
	go func() {
		defer close(told)
		for r := range heard {
			times := 1
			if len(r.Events) > 0 {
				times = rand.IntN(3)
			}
			for range times {
				select {
				case told <- r:
				case <-ctx.Done():
				}
			}
		}
	}()
	return told
}

// past is what was wanted.
type past struct {
	values map[string]string
	vlans  map[string]int
	groups map[string][]string
}

func (w *world) now() past {
	return past{maps.Clone(w.values), maps.Clone(w.vlans), maps.Clone(w.groups)}
}

// moves changes ports that are there, and makes one that is not yet.
func (w *world) moves() {
	for i := range 3 {
		w.want(stillPorts+i, 100+w.random.IntN(4), w.random.IntN(2) == 0)
	}
}

// rollBack has etcd be as it was, which the agent cannot tell by its ids.
func (w *world) rollBack() {
	w.Helper()
	w.moves()
	saved, then := w.server.Save(), w.now()
	w.moves()
	w.want(90, 103, false)
	w.settle()
	w.server.Restore(saved)
	w.values, w.vlans, w.groups = then.values, then.vlans, then.groups
	w.listen()
	w.want(stillPorts, 110, true)
}

// restore has another cluster go on where a snapshot was taken.
func (w *world) restore() {
	w.Helper()
	if _, err := exec.LookPath("etcdctl"); err != nil {
		w.Skip("NOT RESTORED: no etcdctl on PATH; install etcd-client")
	}
	w.moves()
	file := filepath.Join(w.TempDir(), "snapshot")
	cmd := exec.Command("etcdctl", "--endpoints", w.direct, "snapshot", "save", file)
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	text, err := cmd.CombinedOutput()
	require.NoError(w, err, "%s", text)
	then := w.now()
	w.moves()
	w.settle()
	w.server.RestoreSnapshot(file)
	w.values, w.vlans, w.groups = then.values, then.vlans, then.groups
	w.listen()
	w.want(stillPorts, 110, true)
}

// writeAll writes all that is wanted anew.
func (w *world) writeAll() {
	w.Helper()
	w.writeGroups()
	for name, value := range w.values {
		w.write(w.site.Ports()+name, value)
	}
}

func (w *world) alarm(what pb.AlarmRequest_AlarmAction) {
	w.Helper()
	members, err := w.client.MemberList(w.Context())
	require.NoError(w, err)
	_, err = pb.NewMaintenanceClient(w.client.ActiveConnection()).Alarm(w.Context(),
		&pb.AlarmRequest{Action: what, MemberID: members.Members[0].ID, Alarm: pb.AlarmType_NOSPACE})
	require.NoError(w, err)
}
