// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"go.fd.io/govpp/api"
)

// A rest is what fields do not say of a message's bytes: in hex, by where it begins in
// the body, that is behind id, client index and context. Under "length" is that of the
// body, if it is another.
type rest map[string]string

const restLength = "length"

// restOf is what turns plain into wire; nil if they are equal.
func restOf(plain, wire []byte) rest {
	r := rest{}
	for i := 0; i < len(wire); {
		if i < len(plain) && plain[i] == wire[i] {
			i++
			continue
		}
		begin := i
		for i < len(wire) && (i >= len(plain) || plain[i] != wire[i]) {
			i++
		}
		r[strconv.Itoa(begin)] = hex.EncodeToString(wire[begin:i])
	}
	if len(plain) != len(wire) {
		r[restLength] = strconv.Itoa(len(wire))
	}
	if len(r) == 0 {
		return nil
	}
	return r
}

// apply turns plain into what it is the rest of.
func (r rest) apply(plain []byte) ([]byte, error) {
	out := append([]byte(nil), plain...)
	if text, ok := r[restLength]; ok {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > trusted {
			return nil, fmt.Errorf("%s: length %q", bytesMark, text)
		}
		out = append(out[:min(n, len(out))], make([]byte, max(0, n-len(out)))...)
	}
	for at, text := range r {
		if at == restLength {
			continue
		}
		begin, err := strconv.Atoi(at)
		part, bad := hex.DecodeString(text)
		if err != nil || bad != nil || begin < 0 || begin+len(part) > len(out) {
			return nil, fmt.Errorf("%s: %q at %q of %d bytes", bytesMark, text, at, len(out))
		}
		copy(out[begin:], part)
	}
	return out, nil
}

// bodyOf is msg, a message of m's type, without what clients and VPP choose.
func bodyOf(m api.Message, msg []byte) []byte {
	head := 2
	switch m.GetMessageType() {
	case api.RequestMessage:
		head = requestHead
	case api.ReplyMessage, api.EventMessage:
		head = 6
	}
	return msg[min(head, len(msg)):]
}
