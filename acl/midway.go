// SPDX-License-Identifier: Apache-2.0

package acl

import "slices"

// clientPorts is from where on a port is taken for a client's: Linux, Windows and the BSDs
// choose theirs from there up, and services are below.
const clientPorts = 32768

// Revocable returns rules of the same meaning, of which those that permit+reflect TCP can be
// taken back.
//
// A connection whose rule goes ends in the direction that the rule was about. But VPP starts a
// session for any segment, also for one from the middle of a connection. So the other end,
// which may send whatever it likes and tries again what was not acknowledged, would start
// the session anew, the other way round, and the connection would go on. To start none from
// the middle of a connection at all would end, whenever rules change or VPP restarts, also
// those that are permitted.
//
// The two differ by their ports: who sends from a port below 32768 is no client. So before
// each rule that permits+reflects TCP there is one that merely permits, of what that fits,
// what is not the first segment (it has ACK) and comes from such a port: it passes, and starts
// no session. A server that listens at 32768 or above is not told from a client; and a client
// that uses a port below can lose a connection, though it is permitted, when rules of its
// direction change, unless the rules of the other direction permit the answers by themselves.
func Revocable(rules []Rule) []Rule {
	out := make([]Rule, 0, 2*len(rules))
	for _, r := range rules {
		if m, ok := r.midway(); ok && (len(out) == 0 || out[len(out)-1] != m) {
			out = append(out, m)
		}
		out = append(out, r)
	}
	return slices.Clip(out)
}

// noMidway are rules that permit nothing of what the ones are about that Revocable adds.
var noMidway = func() (rules []Rule) {
	for _, f := range []Family{IPv4, IPv6} {
		r, _ := Rule{Action: PermitReflect, Family: f, Protocol: TCP}.midway()
		r.Action = Deny
		rules = append(rules, r)
	}
	return rules
}()

// midway is the part of a rule that fits what comes from the middle of a connection and is no
// client's; there may be none.
func (r Rule) midway() (Rule, bool) {
	first, last := r.SrcPorts.Bounds(maxPort)
	if r.Action != PermitReflect || r.Protocol != 0 && r.Protocol != TCP || first >= clientPorts ||
		r.FlagsMask&ACK != 0 && r.Flags&ACK == 0 { // it fits first segments only
		return Rule{}, false
	}
	r.Action, r.Protocol = Permit, TCP
	r.SrcPorts = Between(first, min(last, clientPorts-1))
	r.Flags, r.FlagsMask = r.Flags|ACK, r.FlagsMask|ACK
	return r, true
}
