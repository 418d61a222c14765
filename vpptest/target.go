// SPDX-License-Identifier: Apache-2.0

package vpptest

// Target is what a VPP and a Proxy have in common, for tests that run on either.
type Target interface {
	Socket() string

	Writes() int
	Sent() []string
	ResetLog()
	DeclareReads(names ...string)

	Inject(Fault)
	FailWrite(nth int, lost bool)
	Heal()
}

var (
	_ Target = (*VPP)(nil)
	_ Target = (*Proxy)(nil)
)
