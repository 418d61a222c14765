// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/acl"

	"github.com/vppkit/vppkit/vpptest"
)

// A VPP that dies of one object is not fed it again and again: it is found, put aside and said,
// all else is served, and it is tried again when its key is another.
func TestAnObjectThatVPPDiesOf(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	var deaths atomic.Int64
	var healthy atomic.Bool
	again := make(chan struct{}, 100)
	vpptest.Handle(v, func(_ *vpptest.Call, _ *acl.MacipACLAddReplace) *acl.MacipACLAddReplaceReply {
		if healthy.Load() {
			return &acl.MacipACLAddReplaceReply{Retval: -1}
		}
		deaths.Add(1)
		again <- struct{}{}
		time.Sleep(50 * time.Millisecond) // so that it is dead before it answers
		return &acl.MacipACLAddReplaceReply{Retval: -1}
	})
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-again:
				v.Kill()
				_ = v.Restart()
			}
		}
	}()
	want := map[string]int{}
	for i := range 20 {
		want[uuid(i)] = 100 + i
		r.put("h1", uuid(i), port(100+i))
	}
	r.put("h1", uuid(50), secured(200, "10.0.0.5"))
	path, page := paged(t)
	a := r.agent(site, v.Socket(), page, func(a *agent) { a.deadly.again, a.deadly.pause = time.Hour, 8*time.Second })
	r.problem(50, "VPP died of it")
	r.bound("h1", names(want)...)
	n := deaths.Load()
	require.LessOrEqual(t, n, int64(4))
	r.amissIs(path, "deadly", "macip-acl/", true)
	r.put("h1", uuid(60), port(300))
	want[uuid(60)] = 300
	r.bound("h1", names(want)...)
	time.Sleep(2 * time.Second)
	require.Equal(t, n, deaths.Load(), "it is not tried again")

	for i := range 6 { // of which VPP dies, each
		r.put("h1", uuid(50), secured(200, fmt.Sprintf("10.0.1.%d", i)))
		r.put("h1", uuid(70+i), port(310+i))
		want[uuid(70+i)] = 310 + i
		r.bound("h1", names(want)...)
	}
	r.problem(50, "VPP died of 2 of its values")
	time.Sleep(time.Second)
	require.LessOrEqual(t, deaths.Load(), n+2, "another value is tried, others later")

	healthy.Store(true)
	r.put("h1", uuid(50), secured(200, "10.0.0.6"))
	r.problem(50, "Unspecified Error")
	r.amissIs(path, "deadly", "macip-acl/", false)
	a.stop()
}
