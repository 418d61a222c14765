// SPDX-License-Identifier: Apache-2.0

package wireguard_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/vpptest"
)

// keyed is an interface with a key of its own, which it returns.
func keyed() (wireguard.Interface, string) {
	i := wireguard.Interface{Name: "a", PrivateKey: wireguard.NewPrivateKey(), Src: netip.MustParseAddr("192.0.2.1"), Port: 51820}
	return i, i.PrivateKey.Reveal()
}

// Nothing that prints an interface shows its key.
func TestKeyIsNotPrinted(t *testing.T) {
	i, key := keyed()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		for _, x := range []any{i, &i, []any{i, &i}, struct{ hidden any }{i}, struct{ hidden wireguard.Interface }{i}} {
			require.NotContains(t, fmt.Sprintf(verb, x), key, verb)
		}
	}
	text, err := json.Marshal(i)
	require.NoError(t, err)
	require.NotContains(t, string(text), key)
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "i", i, "k", i.PrivateKey)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "i", i, "k", i.PrivateKey)
	require.NotContains(t, b.String(), key)
}

// said is a test that fails, and what it said.
type said struct{ strings.Builder }

func (s *said) Errorf(format string, args ...any) { fmt.Fprintf(s, format, args...) }

// A test that compares two interfaces looks behind pointers to say what differs. It sees no key.
func TestKeyIsNotInAFailedComparison(t *testing.T) {
	i, key := keyed()
	j, other := keyed()
	var s said
	require.False(t, assert.Equal(&s, i, j))
	require.NotContains(t, s.String(), key)
	require.NotContains(t, s.String(), other)
}

// No error of what cannot be read shows a key.
func TestKeyIsNotInAnError(t *testing.T) {
	e := kindrig.Engine(kinds(kindrig.Dial(t, vpptest.New(t).Socket(), "me"))...)
	_, key := keyed()
	for _, text := range []string{
		`{"Name":"a","PrivateKey":"` + key + `","Port":"x"}`,
		`{"Name":"a","PrivateKey":"` + key + `","Nonsense":1}`,
		`{"Name":"a","PrivateKey":{"key":"` + key + `"}}`,
		`{"Name":"a","PrivateKey":["` + key + `"]}`,
		`{"Name":"a","PrivateKey":"` + key + `" "Port":1}`,
		`"` + key + `"`,
	} {
		_, err := e.Decode("wireguard", []byte(text))
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), key)
	}
	_, err := wireguard.ParsePublicKey(key + "=") // who takes one for the other
	require.ErrorContains(t, err, "of 45 characters")
	require.NotContains(t, err.Error(), key)
}
