// SPDX-License-Identifier: Apache-2.0

package classify

import (
	"cmp"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Use is what a table is looked into for. The zero value is to filter.
type Use uint8

// What an interface receives is filtered by a table, measured by the policers that its sessions
// name, or counted.
const (
	Filter Use = iota
	Police
	CountFlows
)

var uses = []string{"filter", "police", "count-flows"}

// String is the word for it.
func (u Use) String() string {
	if int(u) < len(uses) {
		return uses[u]
	}
	return fmt.Sprintf("use %d", uint8(u))
}

// MarshalText is String.
func (u Use) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads what String wrote.
func (u *Use) UnmarshalText(text []byte) error {
	for i, word := range uses {
		if word == string(text) {
			*u = Use(i)
			return nil
		}
	}
	return fmt.Errorf("use %q: want filter, police or count-flows", text)
}

// Input has what an interface receives, of one family, looked up in a table of ours.
type Input struct {
	Interface string
	Use       Use
	IPv6      bool // else IPv4
	Table     string

	theirs string // of one that was found: a table that is not ours
}

// InputKey is the key of an Input.
func InputKey(iface string, use Use, ipv6 bool) desiredstate.Key {
	return desiredstate.Key{Space: "classify-input", Name: iface + " " + use.String() + " " + family(ipv6)}
}

func family(ipv6 bool) string {
	if ipv6 {
		return "IPv6"
	}
	return "IPv4"
}

// Key is InputKey(i.Interface, i.Use, i.IPv6).
func (i Input) Key() desiredstate.Key { return InputKey(i.Interface, i.Use, i.IPv6) }

// Deps lists the interface and the table.
func (i Input) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{vppnet.InterfaceKey(i.Interface)}
	if i.Table != "" {
		deps = append(deps, TableKey(i.Table))
	}
	return deps
}

// Validate checks the names.
func (i Input) Validate() error {
	if int(i.Use) >= len(uses) {
		return fmt.Errorf("%v, which VPP does not have", i.Use)
	}
	return cmp.Or(vppnet.CheckRef("interface", i.Interface), vppnet.CheckName(i.Table))
}

// Output has what an interface sends, of one family, filtered by a table of ours.
type Output struct {
	Interface string
	IPv6      bool // else IPv4
	Table     string

	may []string // of one that was found, whose table VPP does not show: those that it may be
}

// OutputKey is the key of an Output.
func OutputKey(iface string, ipv6 bool) desiredstate.Key {
	return desiredstate.Key{Space: "classify-output", Name: iface + " " + family(ipv6)}
}

// Key is OutputKey(o.Interface, o.IPv6).
func (o Output) Key() desiredstate.Key { return OutputKey(o.Interface, o.IPv6) }

// Deps lists the interface and the table.
func (o Output) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{vppnet.InterfaceKey(o.Interface)}
	for _, t := range o.may {
		deps = append(deps, TableKey(t))
	}
	if o.Table != "" {
		deps = append(deps, TableKey(o.Table))
	}
	return deps
}

// Validate checks the names.
func (o Output) Validate() error {
	return cmp.Or(vppnet.CheckRef("interface", o.Interface), vppnet.CheckName(o.Table))
}
