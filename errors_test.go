// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"go/ast"
	"maps"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// refusal is an error that a user can meet: what kinds an engine has, what is wanted of it, of
// which the last object is refused, and what the error says.
type refusal struct {
	kinds func(c *vppnet.Conn) []desiredstate.AnyKind
	want  []desiredstate.Object
	says  []string
}

var prefix, addr = netip.MustParsePrefix, netip.MustParseAddr

func kinds(k ...desiredstate.AnyKind) []desiredstate.AnyKind { return k }

func objects(o ...desiredstate.Object) []desiredstate.Object { return o }

// refusals are all of the list.
func refusals() map[string]refusal {
	all := foreign()
	for _, part := range []map[string]refusal{taken(), fields(), routed()} {
		maps.Copy(all, part)
	}
	return all
}

// clash is a VPP with things of others, and none of ours.
func clash(t *testing.T) *vppnet.Conn {
	t.Helper()
	vpp := vpptest.New(t, vpptest.WithInterface("nic"), vpptest.WithoutVhostNet())
	other, err := vppnet.Dial(t.Context(), vpp.Socket(), "other")
	require.NoError(t, err)
	defer other.Close()
	_, err = desiredstate.New(
		vppnet.Loopbacks(other), vppnet.BridgeDomains(other), vppnet.Pipes(other), l3.Tables(other), bond.Bonds(other), acl.Sets(other), gpe.Overlays(other), gpe.LocatorSets(other),
	).Ensure(t.Context(),
		vppnet.Loopback{Name: "lo"}, vppnet.BridgeDomain{Name: "net", ID: 7}, vppnet.Pipe{Name: "wire"}, l3.Table{Name: "red", ID: 7},
		bond.Bond{Name: "trunk", Mode: bond.LACP}, acl.Set{Name: "web"}, gpe.Overlay{}, gpe.LocatorSet{Name: "s", Locators: []gpe.Locator{{Interface: "lo"}}},
	)
	require.NoError(t, err)
	c, err := vppnet.Dial(t.Context(), vpp.Socket(), "me")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Every error that a user can meet says what is wrong, with what, and what to do about it.
func TestErrorsSayWhatToDo(t *testing.T) {
	for name, x := range refusals() {
		t.Run(name, func(t *testing.T) {
			c := clash(t)
			_, err := desiredstate.New(x.kinds(c)...).Ensure(t.Context(), x.want...)
			require.Error(t, err)
			t.Log(err)
			require.ErrorContains(t, err, x.want[len(x.want)-1].Key().Space, "it names the object")
			for _, s := range x.says {
				require.ErrorContains(t, err, s)
			}
		})
	}
}

// Every kind of the library has something in the list that it refuses.
func TestEveryKindIsInTheListOfErrors(t *testing.T) {
	refused := map[string]bool{} // types of specs
	for _, x := range refusals() {
		refused[reflect.TypeOf(x.want[len(x.want)-1]).String()] = true
	}
	n := 0
	for _, dir := range library(t) {
		files, _ := parsed(t, dir)
		for _, f := range files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && makesKind(fn) && fn.Type.TypeParams == nil {
					n++
					if spec := f.Name.Name + "." + specOf(fn); !refused[spec] {
						t.Errorf("%s: no line of the list has a %s that is refused", dir, strings.TrimPrefix(spec, "."))
					}
				}
			}
		}
	}
	require.Greater(t, n, 60)
}

// specOf is the type of the specs of the kind that a function makes.
func specOf(f *ast.FuncDecl) string {
	return f.Type.Results.List[0].Type.(*ast.StarExpr).X.(*ast.IndexExpr).Index.(*ast.Ident).Name
}
