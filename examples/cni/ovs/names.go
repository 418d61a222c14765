// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// The keys in external_ids that say whose a row is, and what its owner calls it.
const (
	ownerKey = "vppkit-owner"
	nameKey  = "vppkit-name"
)

const (
	ofOVS   = "ovs:"
	ofOwner = "/"
	surplus = "~"

	maxName  = 128
	maxOwner = 31
	maxRef   = maxOwner + len(ofOwner) + maxName
)

// Foreign is the name of a bridge or port that nobody marked as theirs, by OVS's name for it,
// as in Foreign("br-int").
func Foreign(ovs string) string { return ofOVS + ovs }

// Owner is the name in whose scope this Conn makes things.
func (c *Conn) Owner() string { return c.owner }

// mark is what a row of ours has in its external_ids.
func (c *Conn) mark(name string) map[string]string {
	return map[string]string{ownerKey: c.owner, nameKey: name}
}

// ours selects rows with our mark.
func (c *Conn) ours() ovsdb.Condition {
	return ovsdb.NewCondition("external_ids", ovsdb.ConditionIncludes, dict(map[string]string{ownerKey: c.owner}))
}

// remark makes rows ours, whoever's they are.
func (c *Conn) remark(table, uuid, name string) ovsdb.Operation {
	op := mutate(table, "external_ids", ovsdb.MutateOperationDelete, set(ownerKey, nameKey), is(uuid))
	op.Mutations = append(op.Mutations, ovsdb.Mutation{Column: "external_ids", Mutator: ovsdb.MutateOperationInsert, Value: dict(c.mark(name))})
	return op
}

// A name is what we call a row.
type name struct {
	name    string
	foreign bool
	surplus bool // ours, and not the first with its mark: nobody can want it
}

// named is a row by its external_ids and by OVS's name.
type named struct {
	ids map[string]string
	ovs string
}

// names says what we call each of these rows, which are all of their table, by OVS's name.
func (c *Conn) names(all []named) []name {
	out := make([]name, len(all))
	others := map[string]int{} // how many have it
	taken := map[string]bool{}
	for n, r := range all {
		owner, marked := r.ids[ownerKey], r.ids[nameKey]
		if checkOwner(owner) != nil || CheckName(marked) != nil {
			out[n] = name{Foreign(r.ovs), true, false}
			continue
		}
		if owner != c.owner {
			out[n] = name{owner + ofOwner + marked, true, false}
			others[out[n].name]++
			continue
		}
		out[n] = name{marked, false, taken[marked]}
		if taken[marked] {
			out[n].name += surplus + r.ovs
		}
		taken[marked] = true
	}
	for n, r := range all {
		if out[n].foreign && others[out[n].name] > 1 {
			out[n].name += surplus + r.ovs
		}
	}
	return out
}

// CheckName reports why name cannot be that of a bridge or port of ours: it needs 1 to 128
// letters, digits or any of ._:@#- and must not look like the name of something foreign,
// "ovs:br0".
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("name is empty")
	case len(name) > maxName:
		return fmt.Errorf("name %q has %d bytes, want at most %d", name, len(name), maxName)
	case strings.HasPrefix(name, ofOVS):
		return fmt.Errorf("name %q: %q stands before OVS's name for what is not ours", name, ofOVS)
	}
	for _, r := range name {
		if !plain(r) {
			return fmt.Errorf("name %q contains %q: want letters, digits or ._:@#-", name, r)
		}
	}
	return nil
}

// CheckRef reports why name cannot be that of something that a spec refers to, ours or not;
// what says what it is: "bridge".
func CheckRef(what, name string) error {
	if len(name) > maxRef {
		return fmt.Errorf("%s: name of %d bytes, want at most %d", what, len(name), maxRef)
	}
	if ovs, ok := strings.CutPrefix(name, ofOVS); ok {
		if ovs == "" || strings.ContainsFunc(ovs, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("%s %q: want OVS's name for it after %q", what, name, ofOVS)
		}
		return nil
	}
	if owner, rest, ok := strings.Cut(name, ofOwner); ok {
		if err := checkOwner(owner); err != nil {
			return fmt.Errorf("%s %q: %w", what, name, err)
		}
		name = rest
	}
	if err := CheckName(name); err != nil {
		return fmt.Errorf("%s: %w", what, err)
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

// checkOVSName reports why OVS, or Linux, could not call something so.
func checkOVSName(name string, limit int) error {
	switch {
	case len(name) > limit:
		return fmt.Errorf("OVS's name %q has %d bytes, want at most %d: set OVSName", name, len(name), limit)
	case name == "." || name == "..":
		return fmt.Errorf("OVS's name %q is no name of a file", name)
	}
	for _, r := range name {
		if !plain(r) || r == ':' {
			return fmt.Errorf("OVS's name %q contains %q: want letters, digits or ._@#-; set OVSName", name, r)
		}
	}
	return nil
}

func plain(r rune) bool { return alphanumeric(r) || strings.ContainsRune("._:@#-", r) }

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
