// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// gone is a connection whose server has said why it ends it, which takes a while to be read, and takes nothing more.
type gone struct {
	net.Conn
	says error
}

func (g gone) Read([]byte) (int, error) {
	time.Sleep(time.Second / 2)
	return 0, g.says
}

func (g gone) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// A client closes a connection that it cannot write to. What the server has said of that is heard before, whoever comes first.
func TestAServersLastWordIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{why: map[string]error{}}
		n := note(gone{says: errors.New("certificate required")}, l, "a", plain)
		go func() { _, _ = n.Read(make([]byte, 10)) }()
		start := time.Now()
		_, err := n.Write([]byte("hello"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.ErrorContains(t, l.why["a"], "certificate required")
		require.Equal(t, time.Second/2, time.Since(start))

		_, err = n.Write([]byte("hello"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.Equal(t, time.Second/2, time.Since(start), "it was heard")

		_, err = note(gone{}, l, "b", plain).Write([]byte("hello"))
		require.ErrorIs(t, err, io.ErrClosedPipe, "nobody reads")
		require.Empty(t, l.why["b"])
	})
}
