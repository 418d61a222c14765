// SPDX-License-Identifier: Apache-2.0

package linuxcp

import (
	"context"
	"errors"

	"go.fd.io/govpp/binapi/lcp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Namespace is the network namespace of Linux in which twins are made that name none. Without
// one, that is VPP's own.
type Namespace struct {
	Name string // at most 30 bytes
}

// NamespaceKey is the key of the one Namespace.
func NamespaceKey() desiredstate.Key {
	return desiredstate.Key{Space: "linux-cp-namespace", Name: "linux-cp"}
}

// Key is NamespaceKey().
func (n Namespace) Key() desiredstate.Key { return NamespaceKey() }

// Deps is empty.
func (n Namespace) Deps() []desiredstate.Key { return nil }

// Validate wants a name.
func (n Namespace) Validate() error {
	if n.Name == "" {
		return errors.New("no name: leave the Namespace out for VPP's own")
	}
	return checkNetns(n.Name)
}

// Namespaces manages it (lcp_default_ns_set). It changes in place, for the pairs that are made then; VPP
// does not look whether there is such a one before that. It is write-only: asked for it where there is none
// (lcp_default_ns_get), VPP answers with what lies in its memory. To be told again is harmless.
func Namespaces(c *vppnet.Conn, m *vppnet.Memory) *desiredstate.Kind[Namespace] {
	vpp := lcp.NewServiceClient(c)
	set := func(ctx context.Context, name string) error {
		_, err := vpp.LcpDefaultNsSet(ctx, &lcp.LcpDefaultNsSet{Netns: name})
		return err
	}
	return vppnet.Remembered(c, m, &desiredstate.Kind[Namespace]{
		Name:     "linux-cp-namespace",
		Messages: c.Uses(&lcp.LcpDefaultNsSet{}),
		Create: func(ctx context.Context, _ *desiredstate.View, n Namespace) (uint32, error) {
			return 0, set(ctx, n.Name)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[Namespace], want Namespace) error {
			return set(ctx, want.Name)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[Namespace]) error {
			return set(ctx, "")
		},
	})
}
