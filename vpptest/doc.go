// SPDX-License-Identifier: Apache-2.0

// Package vpptest is an in-memory VPP for tests: it listens on a real unix
// socket and speaks the real binary API, so any client can be pointed at it.
//
//	vpp := vpptest.New(t)
//	conn, err := govpp.Connect(vpp.Socket())
//
// It behaves like VPP 25.10 and is as strict: one message at a time, answers in
// order, the same return values in the same cases, an unknown message is never
// answered. Its behaviour is recorded, not imagined: testdata/vpp-25.10 holds
// what a real VPP answered to scripts of requests, and the tests of this package
// replay every script against the in-memory VPP and compare all answers. Record
// and Replay do the same for messages and a VPP of your own. What nobody thought of
// recording is found by comparison: make diff sends random requests, valid and not,
// over all messages of all kinds, to a real VPP and to the in-memory one, and makes of
// every difference the shortest recording that shows it.
//
// Release has it announce the messages of another release of VPP; what they do stays
// that of 25.10.
//
// Teach it the messages of your own plugin with Handle, HandleDump and HandleGet;
// the built-in messages use nothing else. Make it misbehave with Inject, Kill and
// Restart. Of some messages a real VPP dies; then this one does too, and fails the test
// that New was given, as it does when it is asked for something that it does not imitate:
// see WithReport, Died, Call.Die and Call.NotImitated. Real runs an installed VPP under the same kind of handle, and Proxy
// puts the faults and the counters in front of any VPP, real ones included.
//
// It has no owners: tags are text to it, as they are to VPP. Everything here is safe for
// concurrent use. A start costs a millisecond, a request some ten microseconds.
package vpptest
