// SPDX-License-Identifier: Apache-2.0

package vpptest

// WithL2Features makes VPP number the L2 features of interfaces as another release does:
// number turns the bitmap that VPP 25.10 shows into that release's.
func WithL2Features(number func(bitmap uint32) uint32) Option {
	return func(o *options) { o.l2Features = number }
}

func (o *options) numbered(bitmap uint32) uint32 {
	if o.l2Features == nil {
		return bitmap
	}
	return o.l2Features(bitmap)
}
