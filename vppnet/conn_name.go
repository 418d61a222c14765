// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxTag   = 63 // VPP keeps 64 bytes, of which the last is NUL, and cuts without a word
	maxOwner = 31
)

// Owner is the name in whose scope this Conn creates objects.
func (c *Conn) Owner() string { return c.owner }

// Tag is what an object of ours carries in VPP: "owner/name", and after a "+"
// what the object was created with and no dump tells: "owner/name+opt,opt".
// It fits VPP's 63 bytes if CheckName accepts the same arguments.
func (c *Conn) Tag(name string, opts ...string) string {
	tag := c.owner + "/" + name
	if len(opts) > 0 {
		tag += "+" + strings.Join(opts, ",")
	}
	return tag
}

// Untag gives the name in a tag of ours. A tag of another owner, or none, is not ours.
func (c *Conn) Untag(tag string) (name string, ours bool) {
	name, ours = strings.CutPrefix(tag, c.owner+"/")
	if !ours {
		return "", false
	}
	name, _, _ = strings.Cut(name, "+")
	if name == "" {
		return "", false
	}
	return name, true
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
// of an object: as [CheckName], and Tag(name, opts...) must fit the 63 bytes
// that VPP keeps. On a nil Conn, where the owner is not known, it is assumed to
// have one letter.
func (c *Conn) CheckName(name string, opts ...string) error {
	if err := checkChars(name); err != nil {
		return err
	}
	owner := 1
	if c != nil {
		owner = len(c.owner)
	}
	limit := maxTag - owner - len("/")
	for i, opt := range opts {
		if opt == "" || strings.ContainsFunc(opt, func(r rune) bool { return !tagChar(r) && r != '=' }) {
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

// CheckName reports why name cannot be the name of an object, whoever owns it:
// it needs 1 to 61 letters, digits or any of ._:/@#-
func CheckName(name string) error { return (*Conn)(nil).CheckName(name) }

func checkChars(name string) error {
	if name == "" {
		return errors.New("name is empty")
	}
	for _, r := range name {
		if !tagChar(r) {
			return fmt.Errorf("name %q contains %q: want letters, digits or ._:/@#-", name, r)
		}
	}
	return nil
}

func checkOwner(owner string) error {
	if owner == "" || len(owner) > maxOwner {
		return fmt.Errorf("owner %q: want 1 to %d bytes", owner, maxOwner)
	}
	for _, r := range owner {
		if !alphanumeric(r) && !strings.ContainsRune("._-", r) {
			return fmt.Errorf("owner %q contains %q: want letters, digits or ._-", owner, r)
		}
	}
	return nil
}

func tagChar(r rune) bool { return alphanumeric(r) || strings.ContainsRune("._:/@#-", r) }

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
