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
//
// Suite says which objects are drawn, and World what the target is: how its state is
// seen, and how a message is made to fail. A kind must be as good at what others own: World's
// Stranger makes some of that.
//
// The laws run as long as there are messages to fail one by one: seconds in memory, a minute on a
// real VPP. They are to be run on one goroutine; the kind itself is called from many.
package kindtest
