// SPDX-License-Identifier: Apache-2.0

package classify

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Pattern is the bytes that a packet begins with, without zeros at the end; "" is all zeros. As
// text it is its parts, each by where it begins: "26:0a000001 34:01bb".
type Pattern string

// At is a pattern of these bytes, so many bytes into the packet, with zeros before.
func At(offset int, b ...byte) Pattern { return Pattern("").And(offset, b...) }

// And is p and these bytes too, in place of what p has there.
func (p Pattern) And(offset int, b ...byte) Pattern {
	out := append(make([]byte, 0, max(len(p), offset+len(b))), p...)
	for len(out) < offset+len(b) {
		out = append(out, 0)
	}
	copy(out[offset:], b)
	return trim(out)
}

func trim(b []byte) Pattern { return Pattern(strings.TrimRight(string(b), "\x00")) }

// far is how many zeros part what is written apart.
const far = 4

// String is p as text.
func (p Pattern) String() string {
	var out strings.Builder
	for at := 0; at < len(p); {
		if p[at] == 0 {
			at++
			continue
		}
		end := at
		for n := at; n < len(p) && n < end+far; n++ {
			if p[n] != 0 {
				end = n + 1
			}
		}
		if out.Len() > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(strconv.Itoa(at))
		out.WriteByte(':')
		out.WriteString(hex.EncodeToString([]byte(p[at:end])))
		at = end
	}
	return out.String()
}

// MarshalText is String.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String wrote.
func (p *Pattern) UnmarshalText(text []byte) error {
	*p = ""
	for _, part := range strings.Fields(string(text)) {
		at, digits, ok := strings.Cut(part, ":")
		offset, err := strconv.ParseUint(at, 10, 8)
		b, wrong := hex.DecodeString(digits)
		if !ok || err != nil || wrong != nil {
			return fmt.Errorf("pattern %q: want an offset of at most 255 and bytes, as in 26:0a000001", part)
		}
		*p = p.And(int(offset), b...)
	}
	return nil
}

// longest is how far into a packet a pattern can reach, in bytes.
const longest = 256

func (p Pattern) check(what string) error {
	switch {
	case len(p) > longest:
		return fmt.Errorf("%s reaches %d bytes into the packet, want at most %d", what, len(p), longest)
	case strings.HasSuffix(string(p), "\x00"):
		return fmt.Errorf("%s ends in zeros: make it with At", what)
	}
	return nil
}

// shape is which bytes of a packet a table compares, in vectors.
type shape struct{ skip, match int }

// vector is what VPP compares at once, in bytes; vectors is how many of them, at most.
const vector, vectors = 16, 5

// shape is that of a table with p as its mask: what is zero in front is not looked at.
func (p Pattern) shape() shape {
	zeros := len(p) - len(strings.TrimLeft(string(p), "\x00"))
	if len(p) == 0 {
		return shape{0, 1}
	}
	skip := zeros / vector
	return shape{skip, (len(p)+vector-1)/vector - skip}
}

// pad is p as long as all that is compared, from the packet's first byte.
func (s shape) pad(p Pattern) []byte {
	return append(make([]byte, 0, (s.skip+s.match)*vector), append([]byte(p), make([]byte, (s.skip+s.match)*vector-len(p))...)...)
}

// found is the pattern of which VPP shows what it compares.
func (s shape) found(b []byte) Pattern {
	return trim(append(make([]byte, s.skip*vector, s.skip*vector+len(b)), b...))
}
