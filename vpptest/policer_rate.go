// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"math"

	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/policer_types"
)

// police is what VPP makes of a policer's configuration; false: it has none of it. How a
// rate comes to tokens depends on the machine's clock: what depends on that is left 0, but
// for buckets that are not scaled.
func police(c policer_types.PolicerConfig) (*policer.PolicerDetails, bool) {
	p := &policer.PolicerDetails{
		Cir: c.Cir, Eir: c.Eir, Cb: c.Cb, Eb: c.Eb, RateType: c.RateType, RoundType: c.RoundType, Type: c.Type, ColorAware: c.ColorAware,
		ConformAction: c.ConformAction, ExceedAction: c.ExceedAction, ViolateAction: c.ViolateAction,
	}
	cir, eir, cb, eb := uint64(c.Cir), uint64(c.Eir), c.Cb, c.Eb
	switch c.RateType {
	case policer_types.SSE2_QOS_RATE_API_KBPS:
	case policer_types.SSE2_QOS_RATE_API_PPS:
		cir, eir = kilobits(c.Cir), kilobits(c.Eir)
		cb, eb = bytesIn(uint32(cb), cir), bytesIn(uint32(eb), eir)
	default:
		return nil, false
	}
	p.CurrentLimit, p.ExtendedLimit = uint32(min(cb, math.MaxUint32)), uint32(min(eb, math.MaxUint32))
	p.CurrentBucket, p.ExtendedBucket = p.CurrentLimit, p.ExtendedLimit
	if cir == 0 && cb == 0 && eb == 0 { // it is not set up, and all violates it
		p.SingleRate = true
		return p, true
	}
	switch c.Type {
	case policer_types.SSE2_QOS_POLICER_TYPE_API_1R2C, policer_types.SSE2_QOS_POLICER_TYPE_API_1R3C_RFC_2697:
		p.SingleRate = true
		oneBucket := c.Type == policer_types.SSE2_QOS_POLICER_TYPE_API_1R2C
		return p, !(oneBucket && eb != 0) && cir != 0 && eir == 0 && (cb != 0 || eb != 0)
	case policer_types.SSE2_QOS_POLICER_TYPE_API_2R3C_RFC_2698, policer_types.SSE2_QOS_POLICER_TYPE_API_2R3C_RFC_4115:
		return p, cir != 0 && eir >= cir && cb != 0 && eb != 0
	}
	return nil, false
}

// kilobits is a second's packets of 256 bytes.
func kilobits(packets uint32) uint64 {
	return uint64(uint32((uint64(packets)*256*8 + 500) / 1000))
}

// bytesIn is what a rate comes to in so many milliseconds.
func bytesIn(ms uint32, kbps uint64) uint64 {
	return uint64(uint32((uint64(ms)*kbps + 4) / 8))
}
