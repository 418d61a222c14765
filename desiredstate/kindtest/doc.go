// SPDX-License-Identifier: Apache-2.0

// Package kindtest holds the laws that every kind of package desiredstate must
// keep, as tests that can be run on any of them:
//
//	func TestLaws(t *testing.T) {
//		kindtest.Run(t, kindtest.Suite[Port]{Gen: ports(), Open: open})
//	}
//
// A kind that keeps them can be made, changed, removed, found again after a
// crash, and repaired after any single failure, by an engine that knows nothing
// of it. Each law is also a function of its own, which returns what is broken.
package kindtest
