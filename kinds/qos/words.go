// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"fmt"
	"slices"
)

// Type is how a policer measures. In JSON it is its text. Its value is that of
// sse2_qos_policer_type in VPP's API.
type Type uint8

// The comments give the text.
const (
	TwoColors      Type = iota // 1r2c: one rate, one burst; what does not conform violates
	ThreeColors                // 1r3c-2697: one rate, two bursts (RFC 2697)
	TwoRatesPeak               // 2r3c-2698: what is above the peak rate violates (RFC 2698)
	TwoRatesExcess             // 2r3c-4115: as before, with bursts apart from each other (RFC 4115)
)

var types = []string{"1r2c", "1r3c-2697", "2r3c-2698", "2r3c-4115"}

func (t Type) dual() bool { return t >= TwoRatesPeak }

// String returns VPP's word for it: "1r2c".
func (t Type) String() string { return text("type", t, types) }

// MarshalText is String.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (t *Type) UnmarshalText(b []byte) error { return parse("type", t, b, types) }

// Rounding is how VPP comes from a rate to tokens. In JSON it is its text.
type Rounding uint8

// The comments give the text.
const (
	Closest Rounding = iota // closest
	Up                      // up
	Down                    // down
)

var roundings = []string{"closest", "up", "down"}

// String returns VPP's word for it: "up".
func (r Rounding) String() string { return text("rounding", r, roundings) }

// MarshalText is String.
func (r Rounding) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (r *Rounding) UnmarshalText(b []byte) error { return parse("rounding", r, b, roundings) }

// Verb is what is done with a packet. In JSON it is its text.
type Verb uint8

// The comments give the text.
const (
	Drop        Verb = iota // drop
	Pass                    // transmit
	MarkAndPass             // mark-and-transmit
)

var verbs = []string{"drop", "transmit", "mark-and-transmit"}

// String returns VPP's word for it: "transmit".
func (v Verb) String() string { return text("action", v, verbs) }

// MarshalText is String.
func (v Verb) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (v *Verb) UnmarshalText(b []byte) error { return parse("action", v, b, verbs) }

// Source is the layer whose mark is meant. In JSON it is its text. Its value is that of
// qos_source in VPP's API.
type Source uint8

// The comments give the text.
const (
	External Source = iota // ext: noted by something else
	VLAN                   // vlan: the priority in a VLAN tag, 0 to 7
	MPLS                   // mpls: the class of a label, 0 to 7
	IP                     // ip: the byte with the DSCP in its upper six bits
)

var sources = []string{"ext", "vlan", "mpls", "ip"}

// String returns VPP's word for it: "ip".
func (s Source) String() string { return text("source", s, sources) }

// MarshalText is String.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *Source) UnmarshalText(b []byte) error { return parse("source", s, b, sources) }

func text[T ~uint8](what string, t T, words []string) string {
	if int(t) < len(words) {
		return words[t]
	}
	return fmt.Sprintf("%s %d", what, uint8(t))
}

func parse[T ~uint8](what string, t *T, b []byte, words []string) error {
	n := slices.Index(words, string(b))
	if n < 0 {
		return fmt.Errorf("%s %q, want one of %q", what, b, words)
	}
	*t = T(n)
	return nil
}
