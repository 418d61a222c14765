// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/vrrp"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A VPP without a plugin: the error names the message, the API and what finds all of it.
func TestErrorsOfMissingPlugins(t *testing.T) {
	c, err := vppnet.Dial(t.Context(), vpptest.New(t, vpptest.WithoutPlugin("acl")).Socket(), "me")
	require.NoError(t, err)
	defer c.Close()
	_, err = acl.Sets(c).Ensure(t.Context(), acl.Set{Name: "web"})
	require.ErrorIs(t, err, vppnet.ErrUnsupported)
	require.ErrorContains(t, err, "it lacks acl_dump (CRC ")
	require.ErrorContains(t, err, "of the API acl: load its plugin in startup.conf; binapi.Check says what all kinds lack")
	require.ErrorContains(t, binapi.Check(c, acl.Sets(c)).Why("acl"), "plugin acl; is that loaded?")

	_, err = vrrp.NewServiceClient(c).VrrpVrAddDel(t.Context(), &vrrp.VrrpVrAddDel{})
	require.ErrorContains(t, err, "call Uses(&vrrp.VrrpVrAddDel{}) on the Conn first")
}

// A socket that is not VPP's is said to be none, at once where that can be known.
func TestErrorsOfSockets(t *testing.T) {
	dir, err := os.MkdirTemp("", "sock")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file, chatty := filepath.Join(dir, "file"), filepath.Join(dir, "chatty")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	l, err := net.Listen("unix", chatty)
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
		}
	}()
	for path, says := range map[string]string{file: "it is no socket", chatty: "not VPP's API socket"} {
		_, err := vppnet.Dial(t.Context(), path, "me")
		require.ErrorContains(t, err, "dial VPP at "+path)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "/run/vpp/api.sock")
	}

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // for one try, on a machine that is busy
	defer cancel()
	_, err = vppnet.Dial(ctx, filepath.Join(dir, "none"), "me")
	require.ErrorContains(t, err, "no such file or directory")

	_, err = vppnet.Dial(t.Context(), file, strings.Repeat("ü", 16))
	require.ErrorContains(t, err, "has 32 bytes, want 1 to 31")
}
