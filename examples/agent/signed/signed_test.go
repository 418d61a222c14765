// SPDX-License-Identifier: Apache-2.0

package signed_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/signed"
)

var now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// authority signs certificates, and keys of certificates sign values.
type authority struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

func encode(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{key, cert, encode(der)}
}

func (a authority) certificate(t *testing.T, name string, public crypto.PublicKey, end time.Time) []byte {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, public, a.key)
	require.NoError(t, err)
	return encode(der)
}

// seal makes an envelope; the signature is of the header and claims as they are given.
func seal(t *testing.T, key *rsa.PrivateKey, certificate []byte, header, claims string) []byte {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(header)) + "." + b64([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	require.NoError(t, err)
	out, err := json.Marshal(map[string]string{"jwt": text + "." + b64(sig), "certificate": string(certificate)})
	require.NoError(t, err)
	return out
}

func TestEnvelopes(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca, err := signed.NewCA(a.pem, signed.Controllers, clock)
	require.NoError(t, err)

	const path, rs256 = "/networking-vpp/nodes/h1/ports/x", `{"alg":"RS256","typ":"JWT"}`
	const claims = `{"version":1,"path":"` + path + `","value":{"a": [1]}}`
	good := a.certificate(t, "Controller1", key.Public(), now.Add(time.Hour))
	whole := seal(t, key, good, rs256, claims)
	got, err := ca.Open(path, whole)
	require.NoError(t, err)
	require.Equal(t, `{"a": [1]}`, string(got))

	for name, c := range map[string]struct {
		value []byte
		says  string
	}{
		"not signed":      {[]byte(`{"a": [1]}`), "it is not signed"},
		"of another key":  {seal(t, key, good, rs256, strings.Replace(claims, "ports/x", "ports/y", 1)), `it was signed for "/networking-vpp/nodes/h1/ports/y"`},
		"of no key":       {seal(t, key, good, rs256, `{"value":{}}`), `it was signed for ""`},
		"no value":        {seal(t, key, good, rs256, `{"path":"`+path+`"}`), "there is no value"},
		"alg none":        {seal(t, key, good, `{"alg":"none"}`, claims), `algorithm "none", want RS256`},
		"alg HS256":       {seal(t, key, good, `{"alg":"HS256"}`, claims), `algorithm "HS256", want RS256`},
		"alg RS512":       {seal(t, key, good, `{"alg":"RS512"}`, claims), `algorithm "RS512", want RS256`},
		"expired":         {seal(t, key, good, rs256, strings.Replace(claims, "{", `{"expires":"2026-11-30 10:00:00",`, 1)), "it expired"},
		"another's key":   {seal(t, stranger.key, good, rs256, claims), "signature"},
		"another CA":      {seal(t, key, stranger.certificate(t, "Controller1", key.Public(), now.Add(time.Hour)), rs256, claims), "certificate: x509: certificate signed by unknown authority"},
		"old certificate": {seal(t, key, a.certificate(t, "Controller1", key.Public(), now.Add(-time.Minute)), rs256, claims), "certificate: x509: certificate has expired"},
		"a node":          {seal(t, key, a.certificate(t, "h1", key.Public(), now.Add(time.Hour)), rs256, claims), `"h1" is no controller`},
		"name within":     {seal(t, key, a.certificate(t, "no Controller", key.Public(), now.Add(time.Hour)), rs256, claims), "is no controller"},
		"ECDSA":           {seal(t, key, a.certificate(t, "Controller1", curve.Public(), now.Add(time.Hour)), rs256, claims), "its key is not RSA"},
		"no PEM":          {seal(t, key, []byte("x"), rs256, claims), "certificate: not PEM"},
		"two parts":       {[]byte(`{"jwt":"a.b","certificate":` + quote(good) + `}`), "jwt: want three parts"},
		"a third member":  {bytes.Replace(whole, []byte("{"), []byte(`{"more":1,`), 1), "it is not signed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ca.Open(path, c.value)
			require.ErrorIs(t, err, signed.ErrUnproven)
			require.ErrorContains(t, err, c.says)
		})
	}
	// Whatever is changed of the token, it is not believed; and its claims are not looked at
	// before that: they are no JSON any more, and nobody says so.
	var env map[string]string
	require.NoError(t, json.Unmarshal(whole, &env))
	dot := strings.IndexByte(env["jwt"], '.')
	for i := dot + 1; i < len(env["jwt"])-3; i += 7 {
		changed := []byte(env["jwt"])
		if changed[i] == '.' {
			continue
		}
		if changed[i]++; changed[i] == '{' || changed[i] == '[' || changed[i] == ':' || changed[i] == '.' || changed[i] == '`' {
			changed[i] = 'A'
		}
		value, err := json.Marshal(map[string]string{"jwt": string(changed), "certificate": env["certificate"]})
		require.NoError(t, err)
		_, err = ca.Open(path, value)
		require.ErrorContains(t, err, "signature", "%d", i)
	}

	// Who trusts nobody takes what is not signed, and names what is.
	var none *signed.CA
	got, err = none.Open(path, []byte(`{"a": [1]}`))
	require.NoError(t, err)
	require.Equal(t, `{"a": [1]}`, string(got))
	_, err = none.Open(path, whole)
	require.ErrorIs(t, err, signed.ErrUnproven)
	require.ErrorContains(t, err, "it is signed (JWT), and no CA is given: see --jwt-ca")

	_, err = signed.NewCA([]byte("x"), signed.Controllers, nil)
	require.Error(t, err)
	_, err = signed.NewCA(a.pem, "(", nil)
	require.Error(t, err)
}

func quote(s []byte) string {
	out, _ := json.Marshal(string(s))
	return string(out)
}

// What a real driver signs is believed, for its own key only.
func TestARealDriversEnvelopes(t *testing.T) {
	authority, err := os.ReadFile("../testdata/jwt-ca.crt")
	require.NoError(t, err)
	ca, err := signed.NewCA(authority, signed.Controllers, clock)
	require.NoError(t, err)
	lines, err := os.ReadFile("../testdata/driver-jwt.jsonl")
	require.NoError(t, err)
	n := 0
	for d := json.NewDecoder(bytes.NewReader(lines)); d.More(); n++ {
		var w struct {
			Key   string
			Value json.RawMessage
		}
		require.NoError(t, d.Decode(&w))
		got, err := ca.Open(w.Key, w.Value)
		require.NoError(t, err)
		require.True(t, json.Valid(got))
		_, err = ca.Open(w.Key+"x", w.Value)
		require.ErrorIs(t, err, signed.ErrUnproven)
	}
	require.Equal(t, 3, n)
}
