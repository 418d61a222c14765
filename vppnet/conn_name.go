// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
)

const (
	maxTag   = 63 // VPP keeps 64 bytes, of which the last is NUL, and cuts without a word
	maxOwner = 31
)

// A name means one thing, whatever else VPP holds. What is ours has a name without a
// slash, "vm1"; of several with one tag the first has it, and the others are surplus,
// "vm1~loop7". What another owner tagged is known by the tag, "owner/name"; if several
// things have it, that names none of them. All else is known by what VPP calls it,
// "vpp:loop0", "vpp:7".
const (
	ofVPP   = "vpp:"
	ofOwner = "/"
	surplus = "~"
)

// Foreign is the name of a thing that is not ours, and that nobody tagged as theirs:
// an interface by VPP's name for it, as Foreign("GigabitEthernet0/8/0"), a bridge domain,
// a table or an ACL by its number, as Foreign("7").
func Foreign(vpp string) string { return ofVPP + vpp }

// Owner is the name in whose scope this Conn creates objects.
func (c *Conn) Owner() string { return c.owner }

// Tag is what an object of ours carries in VPP: "owner/name", and after a "+"
// what the object was created with and no dump tells: "owner/name+opt,opt". The
// error, a desiredstate.ErrInvalid, is that of CheckName: VPP would cut what does not
// fit, and show another name.
func (c *Conn) Tag(name string, opts ...string) (string, error) {
	if err := c.CheckName(name, opts...); err != nil {
		return "", fmt.Errorf("%w: %w", desiredstate.ErrInvalid, err)
	}
	tag := c.owner + ofOwner + name
	if len(opts) > 0 {
		tag += "+" + strings.Join(opts, ",")
	}
	return tag, nil
}

// Untag gives the name in a tag of ours. A tag of another owner, or none, is not ours.
func (c *Conn) Untag(tag string) (name string, ours bool) {
	owner, name, ok := splitTag(tag)
	if !ok || owner != c.owner {
		return "", false
	}
	return name, true
}

// splitTag takes a tag apart that an owner of things has made. Any other is just text.
func splitTag(tag string) (owner, name string, ok bool) {
	tag, _, _ = strings.Cut(tag, "+")
	owner, name, ok = strings.Cut(tag, ofOwner)
	if !ok || checkOwner(owner) != nil || CheckName(name) != nil {
		return "", "", false
	}
	return owner, name, true
}

// Named is a thing in VPP by its tag, and by what VPP itself calls it: a name, or a
// number.
type Named struct{ Tag, VPP string }

// Owned says whether an owner of things, us or another, made the tag.
func (n Named) Owned() bool { _, _, ok := splitTag(n.Tag); return ok }

// A Name is what we call a thing.
type Name struct {
	Name    string
	Ours    bool
	Surplus bool // ours, and not the first with its tag: nobody can want it
}

// Names says what we call each of these things, which are all that VPP has of one sort.
func (c *Conn) Names(all ...Named) []Name {
	out := make([]Name, len(all))
	others := map[string]int{} // how many have it
	taken := make(map[string]bool, len(all))
	for i, n := range all {
		owner, name, ok := splitTag(n.Tag)
		switch {
		case ok && owner == c.owner:
			out[i] = Name{name, true, taken[name]}
			if taken[name] {
				out[i].Name += surplus + n.VPP
			}
			taken[name] = true
		case ok:
			out[i].Name = owner + ofOwner + name
			others[out[i].Name]++
		}
	}
	for i, n := range all {
		switch {
		case out[i].Name == "":
			out[i].Name = Foreign(n.VPP)
		case !out[i].Ours && others[out[i].Name] > 1:
			out[i].Name += surplus + n.VPP
		}
	}
	return out
}

// Is says whether a thing is what has this name in a reading, so far as that can be
// told from the thing alone.
func (c *Conn) Is(name string, n Named) bool {
	owner, tagged, ok := splitTag(n.Tag)
	base, vpp, dup := strings.Cut(name, surplus)
	if !ok {
		return name == Foreign(n.VPP)
	}
	if owner != c.owner {
		tagged = owner + ofOwner + tagged
	}
	return base == tagged && (!dup || vpp == n.VPP)
}

// TagOptions gives the creation options in a tag of ours; nil if there are none.
func (c *Conn) TagOptions(tag string) []string {
	if _, ours := c.Untag(tag); !ours {
		return nil
	}
	_, opts, _ := strings.Cut(tag, "+")
	if opts == "" {
		return nil
	}
	return strings.Split(opts, ",")
}

// CheckName reports why name, with these creation options, cannot be the name
// of an object: as [CheckName], and its tag must fit the 63 bytes that VPP keeps.
// On a nil Conn, where the owner is not known, it is assumed to have one letter.
func (c *Conn) CheckName(name string, opts ...string) error {
	if err := checkChars(name); err != nil {
		return err
	}
	owner := 1
	if c != nil {
		owner = len(c.owner)
	}
	limit := maxTag - owner - len(ofOwner)
	for i, opt := range opts {
		if opt == "" || strings.ContainsFunc(opt, func(r rune) bool { return !tagChar(r) && r != '=' && r != '/' }) {
			return fmt.Errorf("option %q of name %q: want letters, digits or ._:/@#-=", opt, name)
		}
		limit -= len(opt) + 1 // the "+" or the ","
		if i == len(opts)-1 && limit < 1 {
			return fmt.Errorf("name %q: its options %q leave no room in VPP's %d bytes of tag", name, opts, maxTag)
		}
	}
	if len(name) > limit {
		return fmt.Errorf("name %q has %d bytes, at most %d fit VPP's tag", name, len(name), limit)
	}
	return nil
}

// Labelled completes a kind whose objects bear Conn.Tag in VPP, and returns it: the name of their
// key, and options, nil if there are none. A name that does not fit with them is refused by Check,
// so before what is there makes way for it. Tagged does it by itself.
func Labelled[S desiredstate.Object](c *Conn, k *desiredstate.Kind[S], options func(S) []string) *desiredstate.Kind[S] {
	own := k.Check
	k.Check = func(v *desiredstate.View, want S) error {
		var opts []string
		if options != nil {
			opts = options(want)
		}
		if err := c.CheckName(want.Key().Name, opts...); err != nil || own == nil {
			return err
		}
		return own(v, want)
	}
	return k
}

// CheckName reports why name cannot be the name of an object, whoever owns it:
// it needs 1 to 61 letters, digits or any of ._:@#-, and must not look like the name of
// something that is not ours, "vpp:7" or "#7".
func CheckName(name string) error { return (*Conn)(nil).CheckName(name) }

// CheckRef reports why name cannot be that of something that a spec refers to, ours or
// not; what says what it is: "interface", "bridge domain".
func CheckRef(what, name string) error {
	if vpp, ok := strings.CutPrefix(name, ofVPP); ok {
		if vpp == "" || len(vpp) > maxTag || strings.ContainsFunc(vpp, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return fmt.Errorf("%s %q: want VPP's name for it after %q, 1 to %d bytes", what, name, ofVPP, maxTag)
		}
		return nil
	}
	if strings.Contains(name, ofOwner) {
		if _, _, ok := splitTag(name); !ok || strings.Contains(name, "+") {
			return fmt.Errorf("%s %q: want a name of ours, another owner's as \"owner/name\", or VPP's as %q", what, name, Foreign(name))
		}
		return nil
	}
	if err := CheckName(name); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// CheckAfter reports why an object cannot come after these.
func CheckAfter(self desiredstate.Key, after []desiredstate.Key) error {
	switch {
	case slices.Contains(after, self):
		return errors.New("comes after itself")
	case slices.Contains(after, desiredstate.Key{}):
		return errors.New("comes after an object without a name")
	}
	return nil
}

func checkChars(name string) error {
	switch {
	case name == "":
		return errors.New("name is empty")
	case strings.HasPrefix(name, ofVPP):
		return fmt.Errorf("name %q: %q stands before VPP's name for what is not ours", name, ofVPP)
	case name[0] == '#':
		return fmt.Errorf("name %q: # stands before a number", name)
	}
	for _, r := range name {
		if r == '/' {
			return fmt.Errorf("name %q contains a slash, which stands between an owner and a name", name)
		}
		if !tagChar(r) {
			return fmt.Errorf("name %q contains %q: want letters, digits or ._:@#-", name, r)
		}
	}
	return nil
}

func checkOwner(owner string) error {
	if owner == "" || len(owner) > maxOwner {
		return fmt.Errorf("owner %q has %d bytes, want 1 to %d", owner, len(owner), maxOwner)
	}
	for _, r := range owner {
		if !alphanumeric(r) && !strings.ContainsRune("._-", r) {
			return fmt.Errorf("owner %q contains %q: want letters, digits or ._-", owner, r)
		}
	}
	return nil
}

func tagChar(r rune) bool { return alphanumeric(r) || strings.ContainsRune("._:@#-", r) }

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
