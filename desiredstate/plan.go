// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Step is what a plan does about one object.
type Step struct {
	Action Action
	Key    Key
	Kind   string // name of the kind
	Have   Object // nil if there is none
	Want   Object // nil if it is to go
	Err    error  // for Block, and for a Delete that leaves the object blocked: why

	// Disturbs is what the step disturbs that works now.
	Disturbs Disruption

	// Unverified: the target cannot be asked whether it has the object.
	Unverified bool

	// Surplus is how many further objects of the same name are removed.
	Surplus int

	want   Object   // Want, filled with what it leaves to the target
	kind   *kind    // of Want
	have   actual   // what is kept, changed or unmade
	spare  []actual // the surplus
	by     []Key    // whose change may unblock the step
	eyed   []Key    // by what they are its kind refuses it, for all that is known
	n      *node
	deps   []*node // of Want
	claims []claim

	// While it is carried out: tasks left, what came of those that were done, and whose
	// failure that is, if not its own.
	left     int
	id       uint32
	err      error
	failedBy []Key
}

// Diff lists the fields in which Have and Want differ, for Update and Replace, and last
// "broken" for what is there and does not work. What Want leaves to the target does not
// differ.
func (s *Step) Diff() []Change {
	if s.Have == nil || s.want == nil {
		return nil
	}
	return append(diff(s.Have, s.want), brokenness(s.have.broken(), "")...)
}

// Plan is the difference between what is wanted and what is there, in the
// order of keys. It is a value to look at; Engine.Apply carries it out.
type Plan struct {
	Steps []*Step

	// Unread says which kinds could not be read, and why. What the target has of them
	// stays as it is, what is wanted of them is blocked.
	Unread error

	engine    *Engine
	version   uint64
	kept      []Result // objects as wanted, which have no step
	inferred  int      // deletions of objects that nobody named
	owned     int
	confirmed bool
	applied   bool
	tasks     []*task
	suspects  []*node // to be read before the plan can be trusted
	busy      []*node // kept, but being changed by another pass
	lessons   []lesson
	blind     bool // a kind that could not be read matters here
}

// Empty says that there is nothing to do, though something may be blocked.
func (p *Plan) Empty() bool {
	for _, s := range p.Steps {
		if s.Action != Block {
			return false
		}
	}
	return true
}

// Confirm allows the plan to remove more than Engine.MaxPrune would let it.
func (p *Plan) Confirm() { p.confirmed = true }

// Count returns the number of steps with this action; for Keep, the number of
// objects that are as wanted.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, s := range p.Steps {
		if s.Action == a {
			n++
		}
	}
	if a == Keep {
		n += len(p.kept)
	}
	return n
}

// String is the dry run: a line for each step, with what differs below it, and
// a summary. It is the same for the same plan.
//
//	± interface/vm1 (vhost-port)
//	      Socket: "/run/a" -> "/run/b"
//	+ interface/vm2 (vhost-port)
//	? link/vm3: missing dependency: interface/vm3
//	1 to create, 1 to replace, 1 blocked, 7 as wanted
func (p *Plan) String() string { return p.text(false) }

// Details is String, and lists below each step that makes an object what is to be made.
func (p *Plan) Details() string { return p.text(true) }

func (p *Plan) text(details bool) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s %s", s.Action, s.Key)
		if s.Kind != "" && s.Kind != s.Key.Space {
			fmt.Fprintf(&b, " (%s)", s.Kind)
		}
		if s.Disturbs > implied(s.Action) {
			fmt.Fprintf(&b, ", disturbs %s", s.Disturbs)
		}
		if s.Unverified {
			b.WriteString(", unverified")
		}
		if s.Surplus > 0 {
			fmt.Fprintf(&b, ", removing %d of the same name", s.Surplus)
		}
		if s.Err != nil {
			fmt.Fprintf(&b, ": %v", s.Err)
		}
		b.WriteByte('\n')
		for _, c := range s.Diff() {
			fmt.Fprintf(&b, "      %s\n", c)
		}
		if details && s.Action == Create {
			for _, c := range diff(s.kind.zero, s.Want) {
				fmt.Fprintf(&b, "      %s: %s\n", c.Path, c.Want)
			}
		}
	}
	if p.Unread != nil {
		for line := range strings.Lines(p.Unread.Error()) {
			fmt.Fprintf(&b, "! %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	var sum []string
	for _, a := range []struct {
		Action
		words string
	}{
		{Create, "to create"},
		{Update, "to update"},
		{Replace, "to replace"},
		{Delete, "to delete"},
		{Block, "blocked"},
		{Keep, "as wanted"},
	} {
		if n := p.Count(a.Action); n > 0 {
			sum = append(sum, fmt.Sprintf("%d %s", n, a.words))
		}
	}
	if len(sum) == 0 {
		sum = []string{"nothing wanted, nothing there"}
	}
	return b.String() + strings.Join(sum, ", ") + "\n"
}

// MarshalJSON returns what String says: {"steps": […], "kept": n}.
func (p *Plan) MarshalJSON() ([]byte, error) {
	type step struct {
		Action     Action   `json:"action"`
		Key        string   `json:"key"`
		Kind       string   `json:"kind,omitempty"`
		Have       Object   `json:"have,omitempty"`
		Want       Object   `json:"want,omitempty"`
		Diff       []Change `json:"diff,omitempty"`
		Reason     string   `json:"reason,omitempty"`
		Surplus    int      `json:"surplus,omitempty"`
		Disturbs   string   `json:"disturbs,omitempty"`
		Unverified bool     `json:"unverified,omitempty"`
	}
	steps := []step{}
	for _, s := range p.Steps {
		x := step{
			Action: s.Action, Key: s.Key.String(), Kind: s.Kind, Have: s.Have, Want: s.Want, Diff: s.Diff(),
			Surplus: s.Surplus, Unverified: s.Unverified,
		}
		if s.Disturbs > DisturbsNothing {
			x.Disturbs = s.Disturbs.String()
		}
		if s.Err != nil {
			x.Reason = s.Err.Error()
		}
		steps = append(steps, x)
	}
	unread := ""
	if p.Unread != nil {
		unread = p.Unread.Error()
	}
	return json.Marshal(struct {
		Steps  []step `json:"steps"`
		Kept   int    `json:"kept"`
		Unread string `json:"unread,omitempty"`
	}{steps, p.Count(Keep), unread})
}
