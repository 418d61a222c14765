// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// With a secret all laws hold but that of JSON, which would have to tell it.
func TestLawsOfSecrets(t *testing.T) {
	vpp := vpptest.New(t)
	dir := "/run/memif"
	gen := memifGen(dir, vppnet.Secret{}, vppnet.NewSecret("one"), vppnet.NewSecret("two"))
	world := func() kindtest.World[vppnet.Memif] {
		c := dialVPP(t, vpp.Socket(), vppnet.WithLostAfter(20*time.Millisecond))
		return kindtest.World[vppnet.Memif]{
			Kind: vppnet.Memifs(c), More: []desiredstate.AnyKind{vppnet.MemifSockets(c, dir)}, State: vpp.String, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal,
			Base: []desiredstate.Object{vppnet.MemifSocket{Path: dir + "/a"}, vppnet.MemifSocket{Path: dir + "/b"}},
		}
	}
	w := world()
	w.Reopen = world
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		if n++; n > 4 {
			return
		}
		from, to := gen.Draw(t, "from"), gen.Draw(t, "to")
		to.Name = from.Name
		require.NoError(t, kindtest.Idempotent(t.Context(), w, from))
		require.NoError(t, kindtest.Faithful(t.Context(), w, from))
		require.NoError(t, kindtest.Changeable(t.Context(), w, from, to))
		require.NoError(t, kindtest.Predicted(t.Context(), w, from, to))
		require.NoError(t, kindtest.Repairable(t.Context(), w, nil, &from))
		require.NoError(t, kindtest.Repairable(t.Context(), w, &from, &to))
	})
}

// Wherever a Memif is shown, its secret is not.
func TestSecretIsNeverShown(t *testing.T) {
	const text = "tell-nobody"
	vpp := vpptest.New(t)
	c := dialVPP(t, vpp.Socket())
	m := vppnet.Memif{Name: "wire", Socket: "/run/memif/a", Secret: vppnet.NewSecret(text)}
	socket := vppnet.MemifSocket{Path: m.Socket}
	e := desiredstate.New(vppnet.Memifs(c), vppnet.MemifSockets(c, "/run/memif"))
	var said strings.Builder
	e.Observe = func(ev desiredstate.Event) { fmt.Fprintf(&said, "%v %+v %#v %s\n", ev, ev, ev, asJSON(ev)) }
	show := func(all ...any) {
		for _, x := range all {
			deep := struct{ x any }{x} // where methods are out of reach
			fmt.Fprintf(&said, "%v %+v %#v %s %q %d %x\n%v %+v %#v\n%s\n", x, x, x, x, x, x, x, deep, deep, deep, asJSON(x))
		}
	}
	show(m, m.Secret, &m, []vppnet.Memif{m}, map[string]vppnet.Secret{"s": m.Secret})
	p, err := e.Plan(t.Context(), socket, m)
	require.NoError(t, err)
	show(p, p.Steps)
	r, err := e.Apply(t.Context(), p)
	require.NoError(t, err)
	show(r)
	for _, secret := range []vppnet.Secret{{}, vppnet.NewSecret(text + "!")} {
		changed := m
		changed.Secret = secret
		e.Forget()
		p, err = e.Plan(t.Context(), socket, changed)
		require.NoError(t, err)
		require.Equal(t, desiredstate.Replace, p.Steps[0].Action)
		require.Contains(t, p.String(), "Secret: (secret) -> ")
		show(p, p.Steps)
	}
	found, err := e.Found(t.Context())
	require.NoError(t, err)
	show(found)
	m.Name, m.Slave = "other", true
	_, err = e.Ensure(t.Context(), m) // of one ID
	require.Error(t, err)
	show(err, err.Error())
	m.ID = 1
	_, err = e.Ensure(t.Context(), m) // of another role
	require.ErrorIs(t, err, api.SUBIF_ALREADY_EXISTS)
	show(err, err.Error())
	_, err = e.Ensure(t.Context(), vppnet.Memif{Name: "x", Socket: m.Socket, Secret: vppnet.NewSecret(strings.Repeat(text, 3))})
	require.ErrorIs(t, err, desiredstate.ErrInvalid)
	show(err, err.Error())
	require.NotContains(t, said.String(), text)
	require.NotContains(t, said.String(), fmt.Sprintf("%x", text))
	require.Contains(t, vpp.String(), text, "though VPP has it")

	var s vppnet.Secret
	require.NoError(t, json.Unmarshal([]byte(`"tell-nobody"`), &s))
	require.Equal(t, vppnet.NewSecret(text), s)
	require.Error(t, json.Unmarshal([]byte(asJSON(s)), &s), "what is hidden is not read as a secret")
}

func asJSON(x any) string {
	text, err := json.Marshal(x)
	return fmt.Sprint(string(text), err)
}

// However a Memif comes to be made again, it is with its secret, or not at all.
func TestSecretIsNeverLost(t *testing.T) {
	vpp := vpptest.New(t)
	engine := func() *desiredstate.Engine {
		c := dialVPP(t, vpp.Socket())
		return desiredstate.New(vppnet.Memifs(c), vppnet.MemifSockets(c, "/run/memif"))
	}
	socket := vppnet.MemifSocket{Path: "/run/memif/a"}
	m := vppnet.Memif{Name: "wire", Socket: socket.Path, Secret: vppnet.NewSecret("one"), Slave: true}
	has := func() { require.Contains(t, vpp.String(), `secret "one"`) }
	_, err := engine().Sync(t.Context(), socket, m)
	require.NoError(t, err)
	has()
	m.RingSize = 256 // another interface, of the same secret
	_, err = engine().Sync(t.Context(), socket, m)
	require.NoError(t, err)
	has()
	socket.ID = 7 // takes the interface along
	_, err = engine().Sync(t.Context(), socket, m)
	require.NoError(t, err)
	has()
	socket.ID = 8 // and nobody says what its secret is
	_, err = engine().Ensure(t.Context(), socket)
	require.NotContains(t, vpp.String(), `secret ""`, "%v", err)
	_, err = engine().Sync(t.Context(), socket, m)
	require.NoError(t, err)
	has()
}

// What is taken along by somebody else's call comes back with its secret, once an engine was told that.
func TestSecretComesBack(t *testing.T) {
	vpp := vpptest.New(t)
	c := dialVPP(t, vpp.Socket())
	e := desiredstate.New(vppnet.Memifs(c), vppnet.MemifSockets(c, "/run/memif"))
	socket := vppnet.MemifSocket{Path: "/run/memif/a"}
	m := vppnet.Memif{Name: "wire", Socket: socket.Path, Secret: vppnet.NewSecret("one"), Slave: true}
	_, err := e.Ensure(t.Context(), socket, m)
	require.NoError(t, err)
	for id := range uint32(3) {
		e.Forget()
		socket.ID = 6 + id
		p, err := e.PlanEnsure(t.Context(), socket)
		require.NoError(t, err)
		require.NotContains(t, p.Details(), "Secret", "it does not change")
		_, err = e.Ensure(t.Context(), socket)
		require.NoError(t, err)
		require.Contains(t, vpp.String(), `secret "one"`)
	}
	p, err := e.PlanEnsure(t.Context(), socket, m)
	require.NoError(t, err)
	require.True(t, p.Empty(), "%s", p)
}

// Secrets are the same if their texts are.
func TestSecretsOfOneText(t *testing.T) {
	for _, text := range []string{"", "x", strings.Repeat("long ", 100)} {
		s := vppnet.NewSecret(text)
		require.Equal(t, text, s.Reveal())
		require.Equal(t, vppnet.NewSecret(text), s)
		require.NotEqual(t, vppnet.NewSecret(text+"y"), s)
	}
}
