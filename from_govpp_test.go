// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/vpe"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What docs/from-govpp.md quotes, one function for each of its sections.

func again(ctx context.Context, socket, dir string, store *desiredstate.Store) error {
	// vppkit: a Conn lives as long as one VPP. All that has its handles is made anew for the next.
	return vppnet.Follow(ctx, socket, "me", func(ctx context.Context, c *vppnet.Conn) error {
		engine := desiredstate.New(vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vhost.Ports(c, dir))
		return engine.Run(ctx, store, time.Minute)
	})
}

func version(ctx context.Context, c *vppnet.Conn) (string, error) {
	// vppkit
	c.Uses(&vpe.ShowVersion{})
	reply, err := vpe.NewServiceClient(c).ShowVersion(ctx, &vpe.ShowVersion{})
	if err != nil {
		return "", err
	}
	return reply.Version, nil
}

func bridged(ctx context.Context, c *vppnet.Conn) error {
	// vppkit: as often as you like, whatever happened before.
	bridges, ports := vppnet.BridgeDomains(c), vppnet.BridgePorts(c)
	if _, err := bridges.Ensure(ctx, vppnet.BridgeDomain{Name: "net1", ID: 7}); err != nil {
		return err
	}
	report, err := ports.Ensure(ctx, vppnet.BridgePort{Bridge: "net1", Interface: "vm1"})
	if err == nil && len(report) != 1 {
		return errors.New("one report for one port")
	}
	return err
}

func filtered(ctx context.Context, c *vppnet.Conn) error {
	// vppkit: it is known by its name, changed in place under who uses it, and its order on the
	// interface is kept beside others'.
	web := acl.Set{Name: "web", Rules: []acl.Rule{{Action: acl.PermitReflect, Family: acl.IPv4, Protocol: acl.TCP, DstPorts: acl.Only(443)}}}
	_, err := desiredstate.New(acl.Sets(c), acl.Bindings(c)).Ensure(ctx, web, acl.Binding{Interface: "vm1", Output: []string{"web"}})
	return err
}

func desired(ctx context.Context, store *desiredstate.Store, port vppnet.BridgePort) error {
	// vppkit: Run does it, and Status says of each object how it stands, and what it waits for.
	if err := store.Put(vppnet.BridgeDomain{Name: "net1"}, port); err != nil {
		return err
	}
	store.Delete(vppnet.BridgeKey("net2"))
	return store.Wait(ctx, vppnet.BridgeKey("net1"), port.Key())
}

func why(err error) string {
	// the message, what it returned, and whether VPP may have done it all the same
	var failed *vppnet.Error
	switch {
	case errors.As(err, &failed) && failed.Unknown: // read again before you decide; the engine does
		return "unknown"
	case errors.Is(err, api.BD_ALREADY_EXISTS):
		return failed.Message
	}
	return ""
}

func TestFromGovpp(t *testing.T) {
	vpp := vpptest.New(t)
	dial := func() *vppnet.Conn {
		c, err := vppnet.Dial(t.Context(), vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	c := dial()
	v, err := version(t.Context(), c)
	require.NoError(t, err)
	require.Contains(t, v, "25.10")

	_, err = vhost.Ports(c, "/run/vms").Ensure(t.Context(), vhost.Port{Name: "vm1", Socket: "/run/vms/vm1"})
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, bridged(t.Context(), c))
		require.NoError(t, filtered(t.Context(), c))
	}

	c.Uses(&l2.BridgeDomainAddDelV2{})
	add := &l2.BridgeDomainAddDelV2{BdID: 7, IsAdd: true}
	_, err = l2.NewServiceClient(c).BridgeDomainAddDelV2(t.Context(), add)
	require.Equal(t, "bridge_domain_add_del_v2", why(err))
	vpp.FailWrite(1, true)
	_, err = l2.NewServiceClient(c).BridgeDomainAddDelV2(t.Context(), &l2.BridgeDomainAddDelV2{BdID: 9, IsAdd: true})
	require.Equal(t, "unknown", why(err))
	vpp.Heal()

	store := desiredstate.NewStore()
	require.NoError(t, store.Put(vhost.Port{Name: "vm1", Socket: "/run/vms/vm1"}))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- again(ctx, vpp.Socket(), "/run/vms", store) }()
	port := vppnet.BridgePort{Bridge: "net1", Interface: "vm1"}
	require.NoError(t, desired(t.Context(), store, port))
	require.NoError(t, vpp.Restart())
	require.Eventually(t, func() bool { return strings.Contains(vpp.String(), "me/net1") }, 10*time.Second, 20*time.Millisecond,
		"the next VPP gets it, too")
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
}
