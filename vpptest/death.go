// SPDX-License-Identifier: Apache-2.0

package vpptest

import "fmt"

// WithReport has report called with what whoever uses VPP must learn: that VPP died, and
// of what; that it was asked for something that it does not imitate. Without it, New
// fails the test, and Start tells nobody but Died and String. It is for tests that
// expect such a thing; report is called while a message is executed, and must not call
// VPP.
func WithReport(report func(text string)) Option {
	return func(o *options) { o.report = report }
}

// Died is of what VPP died by itself, until the next Restart: the message, and what was
// wrong. "" means that it did not; one that was killed did not either.
func (v *VPP) Died() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.died
}

// Die is how a message ends a VPP that a real one dies of: it is not answered, all
// connections are cut, and nobody listens any more, until Restart. String still shows
// the state of the moment of death. Why is said in the past tense, without a subject:
// "enabled what was not there".
func (c *Call) Die(why string) {
	v := c.VPP
	v.died = c.name + " " + why
	c.muted = true
	v.life.die()
	v.tell("VPP died: " + v.died)
}

// NotImitated is the answer to what a real VPP would do, and this one does not: it
// reports that, loudly, and returns -9. What is about the request: "a path of kind DVR".
func (c *Call) NotImitated(what string) int32 {
	if c.VPP.died == "" { // which says more
		c.VPP.tell(fmt.Sprintf("not imitated: %s, %s", c.name, what))
	}
	return unimplemented
}

// internal is a call that VPP makes of its own, for what it does deep inside of another.
func (v *VPP) internal() *Call { return &Call{VPP: v, name: "VPP"} }

// tell reports to whoever wants to know.
func (v *VPP) tell(text string) {
	if v.options.report != nil {
		v.options.report("vpptest: " + text)
	}
}

// die ends a life from within: nobody is waited for.
func (l *life) die() {
	l.end.Do(func() { close(l.done) })
	_ = l.listener.Close()
	l.cut()
}

// dead tells whether this life has ended.
func (l *life) dead() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}
