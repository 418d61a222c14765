// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"fmt"
	"strconv"
	"strings"
)

// Range is an inclusive range of ports, ICMP types or codes. The zero value is
// all of them, which [Only](0) is not. In JSON it is text: "80", "80-90", "any".
type Range struct {
	first, last uint16
	some        bool
}

// Only is the range of one number.
func Only(n uint16) Range { return Range{n, n, true} }

// Between is the range from first to last, both included.
func Between(first, last uint16) Range { return Range{first, last, true} }

// IsZero says whether the range is all there is.
func (r Range) IsZero() bool { return r == Range{} }

// Bounds returns the first and the last number, 0 and most if the range is all.
func (r Range) Bounds(most uint16) (first, last uint16) {
	if r.some {
		return r.first, r.last
	}
	return 0, most
}

// Contains says whether n is in the range.
func (r Range) Contains(n uint16) bool { return !r.some || r.first <= n && n <= r.last }

// upTo returns the zero Range for one from 0 to most.
func (r Range) upTo(most uint16) Range {
	if r == Between(0, most) {
		return Range{}
	}
	return r
}

// String returns "80", "80-90" or "any".
func (r Range) String() string {
	switch {
	case !r.some:
		return "any"
	case r.first == r.last:
		return strconv.Itoa(int(r.first))
	}
	return fmt.Sprintf("%d-%d", r.first, r.last)
}

// ParseRange reads what String writes; "" is "any".
func ParseRange(s string) (Range, error) {
	if s == "" || s == "any" {
		return Range{}, nil
	}
	from, to, two := strings.Cut(s, "-")
	if !two {
		to = from
	}
	first, err := strconv.ParseUint(from, 10, 16)
	if err == nil {
		var last uint64
		if last, err = strconv.ParseUint(to, 10, 16); err == nil && first <= last {
			return Between(uint16(first), uint16(last)), nil
		}
	}
	return Range{}, fmt.Errorf(`range %q: want "any", or one or two numbers as in "80-90"`, s)
}

// MarshalText is String.
func (r Range) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is ParseRange.
func (r *Range) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRange(string(b))
	return err
}
