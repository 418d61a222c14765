// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vppnet_test

import (
	"encoding/binary"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/vppnet"
)

// Clients come and go, however many, while VPP waits for one that does not read. It
// would stop for ever at the 16th that had just hung up.
func TestClientsComeAndGo(t *testing.T) {
	dir := shortDir(t)
	realVPP(t, dir)
	dialReal(t, dir)
	socket := filepath.Join(dir, "api.sock")
	slow, err := net.Dial("unix", socket)
	require.NoError(t, err)
	defer slow.Close()
	hello, err := (&memclnt.SockclntCreate{Name: "slow"}).Marshal(nil)
	require.NoError(t, err)
	frame := binary.BigEndian.AppendUint32(make([]byte, 8), uint32(6+len(hello)))
	frame = append(frame, make([]byte, 4)...)
	frame = append(binary.BigEndian.AppendUint16(frame, 15), make([]byte, 4)...)
	for range 20 { // each is answered with 100 KB
		_, err = slow.Write(append(frame, hello...))
		require.NoError(t, err)
	}
	time.Sleep(100 * time.Millisecond)
	for i := range 50 {
		c, err := vppnet.Dial(t.Context(), socket, "me", vppnet.WithReplyTimeout(5*time.Second))
		require.NoError(t, err, "client %d", i)
		require.NoError(t, c.Close())
		require.ErrorIs(t, c.Err(), vppnet.ErrClosed)
	}
}

// Of two that close at once, as Follow and its use do, none hangs up while the other says goodbye.
func TestCloseTwiceAtOnceSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		left, asked := make(chan struct{}), make(chan struct{})
		w.answer["sockclnt_delete"] = func(p *peer, q question) {
			close(asked)
			<-left
			p.reply(q, &memclnt.SockclntDeleteReply{Response: 1})
			p.flush()
		}
		c := w.pipe()
		var both sync.WaitGroup
		both.Go(func() { c.Close() })
		<-asked
		both.Go(func() { c.Close() })
		synctest.Wait()
		require.NoError(t, c.Err(), "the second hung up while the first waits for VPP to let go")
		close(left)
		both.Wait()
	})
}
