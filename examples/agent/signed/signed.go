// SPDX-License-Identifier: Apache-2.0

// Package signed opens the envelopes in which networking-vpp's driver writes values if
// it signs them: {"jwt": "HEADER.PAYLOAD.SIGNATURE", "certificate": "PEM"}.
package signed

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// ErrUnproven: nothing is known of who wrote a value, so it says nothing.
var ErrUnproven = errors.New("the value is not proven to be the controller's")

// CA is whom envelopes must be signed for by. The nil *CA trusts nobody: it refuses
// envelopes, and takes what is in none.
type CA struct {
	controllers *regexp.Regexp
	now         func() time.Time

	authorities
}

// Controllers is what the names of signers begin with, by the driver's default.
const Controllers = "Controller.*"

// NewCA trusts certificates of these authorities (PEM) whose common name matches a
// pattern from its beginning on. now may be nil: the clock.
func NewCA(authorities []byte, controllers string, now func() time.Time) (*CA, error) {
	roots, err := pool(authorities)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile("^(?:" + controllers + ")")
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	c := &CA{controllers: re, now: now}
	c.roots = roots
	return c, nil
}

// envelope returns what a value is in, if it is in an envelope: a JSON object of exactly
// these two members.
func envelope(value []byte) (jwt, certificate string, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil || len(members) != 2 {
		return "", "", false
	}
	ok = json.Unmarshal(members["jwt"], &jwt) == nil && json.Unmarshal(members["certificate"], &certificate) == nil
	return jwt, certificate, ok
}

// Open returns the value that a key has. If there is a CA, that is what an envelope
// holds: the certificate is of the CA and a controller's, the signature (RS256, whatever
// the header asks for) is of the certificate, and what was signed names the key; nothing
// that was signed is looked at before. An older envelope of the same key is as good as
// the newest: the driver puts no time into them, but one that is there, expires, counts.
//
// Without a CA a value in no envelope is itself. The error is ErrUnproven, and why.
func (c *CA) Open(key string, value []byte) ([]byte, error) {
	jwt, certificate, ok := envelope(value)
	if !ok && c == nil {
		return value, nil
	}
	out, err := []byte(nil), errors.New("it is not signed, and --jwt-ca asks for that")
	switch {
	case c == nil:
		err = errors.New("it is signed (JWT), and no CA is given: see --jwt-ca")
	case ok:
		out, err = c.verify(key, jwt, certificate)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	return out, nil
}

func (c *CA) verify(key, jwt, certificate string) ([]byte, error) {
	signer, err := c.signer(certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, errors.New("jwt: want three parts")
	}
	raw := make([][]byte, len(parts))
	for i, p := range parts {
		if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return nil, fmt.Errorf("jwt: %w", err)
		}
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(signer, crypto.SHA256, sum[:], raw[2]); err != nil {
		return nil, fmt.Errorf("jwt: signature: %w", err)
	}
	var header struct {
		Alg string `json:"alg"`
	}
	var claims struct {
		Path    string          `json:"path"`
		Value   json.RawMessage `json:"value"`
		Expires *string         `json:"expires"`
	}
	if err := json.Unmarshal(raw[0], &header); err != nil || header.Alg != "RS256" {
		return nil, fmt.Errorf("jwt: algorithm %.20q, want RS256", header.Alg)
	}
	if err := json.Unmarshal(raw[1], &claims); err != nil {
		return nil, fmt.Errorf("jwt: claims: %w", err)
	}
	if claims.Path != key {
		return nil, fmt.Errorf("jwt: it was signed for %.120q", claims.Path)
	}
	if claims.Expires != nil {
		end, err := time.Parse("2006-01-02T15:04:05.999999999", strings.Replace(*claims.Expires, " ", "T", 1))
		if err != nil || c.now().After(end) {
			return nil, fmt.Errorf("jwt: it expired at %.40q", *claims.Expires)
		}
	}
	if claims.Value == nil {
		return nil, errors.New("jwt: there is no value")
	}
	return claims.Value, nil
}

// signer is the key of a certificate that a controller has.
func (c *CA) signer(certificate string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("not PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	if _, err := cert.Verify(x509.VerifyOptions{
		Roots: c.trusted(), CurrentTime: c.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}); err != nil {
		return nil, err
	}
	if !c.controllers.MatchString(cert.Subject.CommonName) {
		return nil, fmt.Errorf("%.60q is no controller", cert.Subject.CommonName)
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("its key is not RSA")
	}
	return key, nil
}
