// SPDX-License-Identifier: Apache-2.0

package signed_test

import (
	"crypto/rand"
	"crypto/rsa"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/signed"
)

// Another authority in the file counts soon, and the one before no more; a file that is none, or gone, changes nothing.
func TestAuthoritiesAreReloaded(t *testing.T) {
	before := now
	now = time.Now()
	t.Cleanup(func() { now = before })
	first, second := newAuthority(t), newAuthority(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	const path = "/networking-vpp/nodes/h1/ports/x"
	sealed := func(a authority) []byte {
		return seal(t, key, a.certificate(t, "Controller1", key.Public(), now.Add(time.Hour)), `{"alg":"RS256"}`, `{"path":"`+path+`","value":{}}`)
	}
	one, two := sealed(first), sealed(second)
	file := filepath.Join(t.TempDir(), "ca.pem")
	_, err = signed.OpenCA(file, signed.Controllers)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(file, first.pem, 0o600))
	ca, err := signed.OpenCA(file, signed.Controllers)
	require.NoError(t, err)
	believes := func(value, not []byte) {
		t.Helper()
		require.Eventually(t, func() bool { _, err := ca.Open(path, value); return err == nil }, 5*time.Second, 10*time.Millisecond)
		_, err := ca.Open(path, not)
		require.ErrorIs(t, err, signed.ErrUnproven)
	}
	believes(one, two)
	require.NoError(t, os.WriteFile(file, second.pem, 0o600))
	believes(two, one)
	require.NoError(t, os.WriteFile(file, []byte("-----BEGIN"), 0o600))
	time.Sleep(1100 * time.Millisecond)
	believes(two, one)
	require.NoError(t, os.Remove(file))
	time.Sleep(1100 * time.Millisecond)
	believes(two, one)
	require.NoError(t, os.WriteFile(file, first.pem, 0o600))
	believes(one, two)
}
