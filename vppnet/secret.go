// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"unique"
)

// Secret is text that is never shown: all verbs of fmt, JSON and plans say "(secret)", also
// where it is deep within something else; who looks behind pointers, as a failed comparison of
// a test does, sees what only this process can read. In JSON it is read as plain text. The zero
// value is none, and says "".
type Secret struct {
	text unique.Handle[string] // sealed; a pointer, as far as reflection sees
	mark string                // of one that was found in VPP: what its tag says of it
}

// NewSecret hides text; "" is no secret at all.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: unique.Make(seal(text))}
}

// sealing is this process's own, and the same for all, so that secrets are the same if their texts are.
var sealing = sync.OnceValue(func() (key [32]byte) {
	_, _ = rand.Read(key[:]) // it never fails
	return key
})

// seal encrypts text by a nonce that follows from it.
func seal(text string) string {
	key := sealing()
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(text))
	nonce := mac.Sum(nil)[:aes.BlockSize]
	return string(nonce) + crypt(nonce, text)
}

// crypt encrypts a text, or decrypts it.
func crypt(nonce []byte, text string) string {
	key, out := sealing(), []byte(text)
	block, _ := aes.NewCipher(key[:]) // it fails for other sizes only
	cipher.NewCTR(block, nonce).XORKeyStream(out, out)
	return string(out)
}

const hidden = "(secret)"

// IsZero says whether there is none.
func (s Secret) IsZero() bool { return s == Secret{} }

// String is "(secret)", or "" if there is none.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return hidden
}

// Format is String, for whatever verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is String: a secret does not survive being written.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is NewSecret. What MarshalText made of a secret is refused.
func (s *Secret) UnmarshalText(b []byte) error {
	if string(b) == hidden {
		return errors.New("the secret was not written, and cannot be read again")
	}
	*s = NewSecret(string(b))
	return nil
}

// Reveal is the text, for who sends it to where it belongs. Nothing else shows it.
func (s Secret) Reveal() string {
	if s.text == (unique.Handle[string]{}) {
		return ""
	}
	sealed := s.text.Value()
	return crypt([]byte(sealed[:aes.BlockSize]), sealed[aes.BlockSize:])
}

// check reports why VPP cannot take the secret.
func (s Secret) check(limit int) error {
	if s.mark != "" {
		return errors.New("secret was found in VPP, which does not show it: say it anew")
	}
	if n := len(s.Reveal()); n > limit {
		return fmt.Errorf("secret has %d bytes, want at most %d", n, limit)
	}
	for _, b := range []byte(s.Reveal()) {
		if b <= ' ' || b > '~' {
			return errors.New("secret has bytes that are not printable ASCII, or spaces")
		}
	}
	return nil
}

// sign is what a tag says of the secret, "" of none: 16 bits. Who reads the tag can rule out
// a wrong guess with them, and learns no more; one secret in 65,536 is taken for another.
func (s Secret) sign(owner, name string) string {
	if s.mark != "" || s.IsZero() {
		return s.mark
	}
	sum := sha256.Sum256([]byte("secret of " + owner + ofOwner + name + "\x00" + s.Reveal()))
	return hex.EncodeToString(sum[:2])
}
