// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

const host = controller.Host("compute-1")

// All families come as the agent reads them, in the order in which they were accepted.
func TestFamilies(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{})
	r.running(j)
	p := translate.Port{UUID: uuid(2), VLAN: 7, MAC: "fa:16:3e:00:00:02", Net: translate.Net{Physnet: "physnet1", Type: "vlan", Segment: 101}}
	net := func(n uint32) translate.Net { return translate.Net{Physnet: "physnet1", Type: "vlan", Segment: n} }
	all := []controller.Change{
		controller.Group(acl.SecurityGroup{Name: uuid(9), Ingress: []acl.GroupRule{{Family: acl.IPv4}}}),
		controller.Member(uuid(9), uuid(1), netip.MustParseAddr("10.0.0.1")),
		port(1, 1),
		host.Trunk(translate.Trunk{Parent: uuid(1), Subports: []translate.Port{p}}),
		host.RouterPort(translate.RouterPort{
			Router: uuid(5), Port: uuid(6), VRF: 3, Net: net(100), MAC: vppnet.MAC{0xfa, 1, 2, 3, 4, 5}, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.254/24")},
		}),
		host.FloatingIP(translate.FloatingIP{ID: uuid(7), External: net(50), Internal: net(100), Floating: netip.MustParseAddr("203.0.113.7"), Fixed: netip.MustParseAddr("10.0.0.1")}),
		host.Serves(true),
		controller.Sighting(translate.Sighting{VNI: 7, Host: "other", Addr: netip.MustParseAddr("10.0.0.9"), MAC: vppnet.MAC{0xfa, 1, 2, 3, 4, 6}, At: netip.MustParseAddr("192.0.2.9")}),
	}
	var last uint64
	for _, c := range all {
		seq, err := j.Accept(soon(t), "", c)
		require.NoError(t, err)
		require.Greater(t, seq, last)
		last = seq
	}
	revision, err := j.Written(soon(t), last)
	require.NoError(t, err)
	for _, c := range all {
		got, err := r.client.Get(soon(t), c.Key)
		require.NoError(t, err)
		require.Len(t, got.Kvs, 1, c.Key)
		require.Equal(t, c.Value, string(got.Kvs[0].Value))
		require.LessOrEqual(t, got.Kvs[0].ModRevision, revision)
	}
	last, err = j.Accept(soon(t), "", all[2].Gone())
	require.NoError(t, err)
	_, err = j.Written(soon(t), last)
	require.NoError(t, err)
	got, err := r.client.Get(soon(t), all[2].Key)
	require.NoError(t, err)
	require.Empty(t, got.Kvs)
}

// What no host would serve is not accepted, and nothing of the entry that it is in.
func TestRefused(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{})
	r.running(j)
	bad := port(1, 1)
	bad.Value = strings.Replace(bad.Value, "vlan", "vlam", 1)
	long := controller.Group(acl.SecurityGroup{Name: uuid(1)})
	long.Value = strings.Replace(long.Value, "{", "{"+strings.Repeat(" ", 1<<20), 1)
	torn := port(3, 1)
	torn.Value = strings.Replace(torn.Value, "physnet1", "physnet\xff", 1)
	for why, entry := range map[string][]controller.Change{
		"is unknown":             {port(2, 1), bad},
		"twice":                  {port(1, 1), port(1, 2)},
		"1 to 100":               {},
		"at most":                {long},
		"hosts read":             {{Key: translate.Root + "state/compute-1/alive"}},
		"not UTF-8":              {{Key: translate.Root + "nodes/h/ports/\xff"}},
		"its value is not UTF-8": {torn},
		"hosts serve ":           {{Key: translate.Root + "nodes/h/lamps/1", Value: "{}"}},
	} {
		_, err := j.Accept(soon(t), "x", entry...)
		require.ErrorIs(t, err, controller.ErrRefused)
		require.ErrorContains(t, err, why)
	}
	require.Zero(t, j.Status().Accepted)
	require.Empty(t, j.Mark())
}

// While etcd is away entries are accepted until there is no room; then who has one waits, and
// is told what for. When etcd is back all comes, and who waited gets on.
func TestBounds(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{MostEntries: 5})
	for n := 1; n <= 5; n++ {
		_, err := j.Accept(soon(t), strconv.Itoa(n), changes(n)...)
		require.NoError(t, err)
	}
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := j.Accept(short, "6", changes(6)...)
	require.ErrorIs(t, err, controller.ErrFull)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "5 entries")
	require.Equal(t, "5", j.Mark())
	waited := make(chan error)
	go func() {
		_, err := j.Accept(soon(t), "6", changes(6)...)
		waited <- err
	}()
	select {
	case err := <-waited:
		require.Fail(t, "there was no room", err)
	case <-time.After(50 * time.Millisecond):
	}
	r.running(j)
	require.NoError(t, <-waited)
	_, err = j.Written(soon(t), 6)
	require.NoError(t, err)
	require.Equal(t, controller.Status{Accepted: 6, Written: 6}, j.Status())
	got, _ := r.events()
	require.Equal(t, told(6), got)
}

// Whoever looks at any time sees one state: what is accepted and not written waits, and what is
// written was accepted.
func TestStatusIsOfOneMoment(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{})
	r.running(j)
	last := make(chan uint64)
	go func() {
		defer close(last)
		for n := 1; n <= 30; n++ {
			seq, err := j.Accept(soon(t), "", changes(n)...)
			assert.NoError(t, err)
			last <- seq
		}
	}()
	for accepted, more := uint64(0), true; more || j.Status().Written < accepted; {
		s := j.Status()
		require.LessOrEqual(t, s.Written, s.Accepted)
		require.Contains(t, []int{0, 1}, s.Waiting-int(s.Accepted-s.Written), "%+v", s) // 1: on its way to the disk
		require.NoError(t, s.Lost)
		select {
		case seq, ok := <-last:
			if more = ok; ok {
				accepted = seq
			}
		default:
		}
	}
	require.Equal(t, controller.Status{Accepted: 30, Written: 30}, j.Status())
}

// Bytes are bounded too, but one entry always has room.
func TestBytesAreBounded(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{MostBytes: 10})
	_, err := j.Accept(soon(t), "", port(1, 1))
	require.NoError(t, err)
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = j.Accept(short, "", port(1, 2))
	require.ErrorIs(t, err, controller.ErrFull)
	require.NoError(t, j.Close())
}

// A file is one process's at a time.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := controller.Open(path, nil, controller.Options{})
	require.NoError(t, err)
	_, err = controller.Open(path, nil, controller.Options{})
	require.ErrorContains(t, err, "another process has it open")
	require.NoError(t, j.Close())
}

// Accepted by many at once, each entry comes once.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{MostEntries: 50})
	r.running(j)
	var wg sync.WaitGroup
	order := make([]controller.Change, 401)
	begin := time.Now()
	for by := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range 50 {
				c := port(by, by*1000+n)
				seq, err := j.Accept(soon(t), "", c)
				if err != nil {
					panic(err)
				}
				order[seq] = c
			}
		}()
	}
	wg.Wait()
	_, err := j.Written(soon(t), 400)
	require.NoError(t, err)
	took := time.Since(begin)
	got, transactions := r.events()
	require.Equal(t, order[1:], got)
	t.Logf("400 entries by 8 at once, in %v: %.0f a second, in %d transactions", took, 400/took.Seconds(), transactions)
}

// An etcd that takes fewer operations a transaction than others gets the entries one by one.
func TestSmallTransactions(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), &faulty{KV: r.client, maxOps: 5}, controller.Options{})
	for n := 1; n <= 20; n++ {
		_, err := j.Accept(soon(t), "", changes(n)...)
		require.NoError(t, err)
	}
	r.running(j)
	_, err := j.Written(soon(t), 20)
	require.NoError(t, err)
	got, _ := r.events()
	require.Equal(t, told(20), got)
}
