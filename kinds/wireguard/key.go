// SPDX-License-Identifier: Apache-2.0

package wireguard

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	"github.com/vppkit/vppkit/vppnet"
)

// PublicKey is what others know an interface or a peer by. Its text is base64, as everybody
// else writes it. The zero PublicKey is none.
type PublicKey [32]byte

// ParsePublicKey reads base64.
func ParsePublicKey(text string) (k PublicKey, err error) { return k, k.UnmarshalText([]byte(text)) }

// String is base64.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// MarshalText is String.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads base64. The error does not show the text, which may be the private key of somebody who took one for the other.
func (k *PublicKey) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(b) != len(k) {
		return fmt.Errorf("public key of %d characters: want 32 bytes in base64, which are 44", len(text))
	}
	*k = PublicKey(b)
	return nil
}

// NewPrivateKey makes a key that nobody else has, in base64. Who wants to find the interface
// again after a restart keeps it: it is shown by Reveal, and by nothing else.
func NewPrivateKey() vppnet.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails
	return vppnet.NewSecret(base64.StdEncoding.EncodeToString(b))
}

// PublicKeyOf is the public key to a private one in base64. The error does not show it.
func PublicKeyOf(private vppnet.Secret) (PublicKey, error) {
	b, err := secretBytes(private)
	if err != nil {
		return PublicKey{}, err
	}
	k, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		return PublicKey{}, errors.New("private key: X25519 does not take it")
	}
	return PublicKey(k.PublicKey().Bytes()), nil
}

// publicKeys remembers public keys by what private ones hash to: one costs 25 microseconds, and each
// interface that is looked at asks for its own.
type publicKeys struct{ bySum sync.Map }

func (k *publicKeys) of(private vppnet.Secret) (PublicKey, error) {
	sum := sha256.Sum256([]byte(private.Reveal()))
	if known, ok := k.bySum.Load(sum); ok {
		return known.(PublicKey), nil
	}
	public, err := PublicKeyOf(private)
	if err == nil {
		k.bySum.Store(sum, public)
	}
	return public, err
}

// secretBytes is a private key, of which X25519 takes any.
func secretBytes(private vppnet.Secret) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(private.Reveal())
	if err != nil || len(b) != 32 {
		return nil, errors.New("private key: want 32 bytes in base64")
	}
	return b, nil
}
