// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"errors"
	"fmt"
	"math"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Policer measures traffic. Several attachments and sessions of classifiers can have one;
// together they then have its rate. Without a Conform that lets packets pass, none does.
type Policer struct {
	Name string
	Type Type

	// Packets: rates are of packets a second, and bursts in milliseconds. VPP takes each
	// packet for one of 256 bytes, and measures bytes all the same.
	Packets bool

	Rate  uint32 // that conforms, in kbit/s
	Burst uint64 // that conforms, in bytes; at most 4 GiB

	PeakRate    uint32 // in kbit/s, at least Rate; of types with two rates
	ExcessBurst uint64 // in bytes; of types with three colours

	Rounding   Rounding
	ColorAware bool // packets that were measured before are not thought better of

	Conform, Exceed, Violate Action
}

// Action is what becomes of packets of one colour. The zero value drops them.
type Action struct {
	Do   Verb
	DSCP uint8 // 0 to 63, that MarkAndTransmit writes
}

// Transmit lets packets pass as they are.
var Transmit = Action{Do: Pass}

// Mark lets packets pass with this DSCP, 0 to 63.
func MarkDSCP(dscp uint8) Action { return Action{Do: MarkAndPass, DSCP: dscp} }

// PolicerKey is the key of a policer. One that is not ours is named by its owner's name for
// it, "owner/name", or by VPP's, "vpp:name".
func PolicerKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "policer", Name: name}
}

// Key is PolicerKey(p.Name).
func (p Policer) Key() desiredstate.Key { return PolicerKey(p.Name) }

// Deps is empty.
func (p Policer) Deps() []desiredstate.Key { return nil }

// Validate refuses what VPP would, and says why.
func (p Policer) Validate() error {
	if err := vppnet.CheckName(p.Name); err != nil {
		return err
	}
	if err := errors.Join(p.Conform.check("conform"), p.Exceed.check("exceed"), p.Violate.check("violate")); err != nil {
		return err
	}
	if p.Conform.Do == Drop && p.Exceed.Do == Drop && p.Violate.Do == Drop {
		return errors.New("all that conforms, exceeds and violates is dropped: say what passes, as in Conform: Transmit")
	}
	if int(p.Type) >= len(types) || int(p.Rounding) >= len(roundings) {
		return fmt.Errorf("%v with %v, which VPP does not have", p.Type, p.Rounding)
	}
	rate, peak, burst, excess := uint64(p.Rate), uint64(p.PeakRate), p.Burst, p.ExcessBurst
	if p.Packets {
		if burst > math.MaxUint32 || excess > math.MaxUint32 {
			return errors.New("a burst of more than 49 days, want milliseconds")
		}
		rate, peak = kilobits(rate), kilobits(peak)
		burst, excess = bytesIn(burst, rate), bytesIn(excess, peak)
	}
	small := ""
	if p.Packets {
		small = ": it comes to less than a byte"
	}
	switch {
	case rate > math.MaxUint32 || peak > math.MaxUint32:
		return fmt.Errorf("a rate of more than %d kbit/s", uint32(math.MaxUint32))
	case burst > math.MaxUint32 || excess > math.MaxUint32:
		return fmt.Errorf("a burst of more than %d bytes", uint32(math.MaxUint32))
	case rate == 0:
		return errors.New("no rate" + small)
	case !p.Type.dual() && p.PeakRate != 0:
		return fmt.Errorf("%v has one rate, and no peak rate", p.Type)
	case p.Type == TwoColors && p.ExcessBurst != 0:
		return fmt.Errorf("%v has one burst, and no excess burst", p.Type)
	case p.Type.dual() && p.PeakRate < p.Rate:
		return fmt.Errorf("the peak rate %d is below the rate %d", p.PeakRate, p.Rate)
	case p.Type == ThreeColors && burst == 0 && excess == 0, p.Type != ThreeColors && burst == 0:
		return errors.New("no burst" + small)
	case p.Type.dual() && excess == 0:
		return errors.New("no excess burst" + small)
	}
	return nil
}

func (a Action) check(color string) error {
	switch {
	case int(a.Do) >= len(verbs):
		return fmt.Errorf("packets that %s: %v", color, a.Do)
	case a.DSCP > 63:
		return fmt.Errorf("packets that %s get DSCP %d, want at most 63", color, a.DSCP)
	case a.DSCP != 0 && a.Do != MarkAndPass:
		return fmt.Errorf("packets that %s: only mark-and-transmit writes a DSCP", color)
	}
	return nil
}

// kilobits is what VPP takes so many packets a second for.
func kilobits(packets uint64) uint64 { return (packets*256*8 + 500) / 1000 }

// bytesIn is what a rate comes to in so many milliseconds, as VPP reckons it.
func bytesIn(ms, kbps uint64) uint64 { return (ms*kbps + 4) / 8 }
