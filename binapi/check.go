// SPDX-License-Identifier: Apache-2.0

// Package binapi tells which kinds of objects a VPP can be used for, before
// anything is sent to it. VPP changes a message's CRC with its definition, and
// has a plugin's messages only if the plugin is loaded; the table that it hands
// out at connect time shows both.
//
// [Check] compares, [Report] tells of each kind ([Report.Why] in a sentence, with the plugin to
// load) and sorts them for an engine: [Report.Available], or [Report.Kinds] with the rest as
// unavailable. Whose anything is plays no role here. It is safe for concurrent use, and costs no
// message: what VPP has is known since the Conn was dialled.
package binapi

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/vppkit/vppkit/desiredstate"
)

// ErrIncompatible is what [Report.Err] wraps.
var ErrIncompatible = errors.New("incompatible VPP")

// Conn knows the messages of the connected VPP; a *vppnet.Conn does.
type Conn interface {
	// Has reports whether VPP has the message with this "name_crc".
	Has(nameCRC string) bool

	// CRC gives the CRC with which VPP has a message.
	CRC(name string) (crc string, ok bool)
}

// Message is one that VPP lacks, or has with another definition.
type Message struct {
	Name   string
	CRC    string   // what the kinds speak
	VPPCRC string   // what VPP has; "" if it lacks the message
	Plugin string   // that it comes from, as startup.conf names it, or "vpp core"
	Kinds  []string // that are unavailable for want of it, sorted
}

// Report is the result of [Check].
type Report struct {
	// Missing is sorted by plugin and name.
	Missing []Message

	kinds    []string        // checked, sorted
	messages map[string]bool // checked, by "name_crc": whether VPP has it
}

// Check compares what the kinds use, those that they require included, with
// what VPP has. It sends nothing.
func Check(conn Conn, kinds ...desiredstate.AnyKind) Report {
	r := Report{messages: make(map[string]bool)}
	users := make(map[string][]string)
	for name, keys := range uses(kinds) {
		r.kinds = append(r.kinds, name)
		for _, key := range keys {
			users[key] = append(users[key], name)
		}
	}
	slices.Sort(r.kinds)
	from := sync.OnceValue(origins) // most VPPs lack nothing, and this goes through all messages that there are
	for key, names := range users {
		r.messages[key] = conn.Has(key)
		if r.messages[key] {
			continue
		}
		m := Message{Plugin: origin(from(), key), Kinds: slices.Sorted(slices.Values(names))}
		m.Name, m.CRC = splitCRC(key)
		m.VPPCRC, _ = conn.CRC(m.Name)
		r.Missing = append(r.Missing, m)
	}
	slices.SortFunc(r.Missing, func(a, b Message) int {
		return slices.Compare([]string{a.Plugin, a.Name, a.CRC}, []string{b.Plugin, b.Name, b.CRC})
	})
	return r
}

// uses gives each kind's messages, sorted, by the kind's name.
func uses(kinds []desiredstate.AnyKind) map[string][]string {
	all := make(map[string][]string)
	for _, k := range kinds {
		keys := append(all[k.KindName()], k.Uses()...)
		slices.Sort(keys)
		all[k.KindName()] = slices.Compact(keys)
	}
	return all
}

// OK reports whether VPP can be used for all the kinds.
func (r Report) OK() bool { return len(r.Missing) == 0 }

// Available gives those of the kinds that VPP can be used for, in their order:
// what to make an engine of. A kind with messages that were not checked is none.
func (r Report) Available(kinds ...desiredstate.AnyKind) []desiredstate.AnyKind {
	var out []desiredstate.AnyKind
	for _, k := range kinds {
		if !slices.ContainsFunc(k.Uses(), func(key string) bool { return !r.messages[key] }) {
			out = append(out, k)
		}
	}
	return out
}

// Kinds gives all the kinds, in their order, but those that VPP cannot be used
// for as [desiredstate.Unavailable]: what to make an engine of that says so of
// each object, and does the rest.
func (r Report) Kinds(kinds ...desiredstate.AnyKind) []desiredstate.AnyKind {
	out := slices.Clone(kinds)
	for i, k := range out {
		if len(r.Available(k)) == 0 {
			out[i] = desiredstate.Unavailable(k, r.Why(k.KindName()))
		}
	}
	return out
}

// Unavailable names the kinds that VPP cannot be used for, sorted.
func (r Report) Unavailable() []string {
	gone := make(map[string]bool)
	for _, m := range r.Missing {
		for _, name := range m.Kinds {
			gone[name] = true
		}
	}
	return slices.Sorted(maps.Keys(gone))
}

// Why is nil if VPP can be used for the kind of this name; otherwise it wraps
// [ErrIncompatible] and says in a sentence which plugin and messages are missing.
func (r Report) Why(kind string) error {
	if !slices.Contains(r.kinds, kind) {
		return fmt.Errorf("%w: %s was not checked", ErrIncompatible, kind)
	}
	var said []string
	for i := 0; i < len(r.Missing); {
		first := r.Missing[i]
		var lacks, other []string
		for ; i < len(r.Missing) && r.Missing[i].Plugin == first.Plugin; i++ {
			switch m := r.Missing[i]; {
			case !slices.Contains(m.Kinds, kind):
			case m.VPPCRC == "":
				lacks = append(lacks, m.Name)
			default:
				other = append(other, m.Name)
			}
		}
		if len(lacks) > 0 {
			said = append(said, fmt.Sprintf("it lacks %s of %s; is that loaded?", few(lacks), first.title()))
		}
		if len(other) > 0 {
			said = append(said, fmt.Sprintf("its %s has another definition of %s", first.title(), few(other)))
		}
	}
	if len(said) == 0 {
		return nil
	}
	return fmt.Errorf("%w for %s: %s", ErrIncompatible, kind, strings.Join(said, "; "))
}

// few lists names, not too many.
func few(names []string) string {
	if len(names) > 3 {
		names = append(slices.Clone(names[:2]), fmt.Sprintf("%d more messages", len(names)-2))
	}
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return names[0]
}

// Err is nil if the Report is OK; otherwise it wraps [ErrIncompatible] and
// names kinds, plugins and messages in one line.
func (r Report) Err() error {
	if r.OK() {
		return nil
	}
	list := make([]string, len(r.Missing))
	for i, m := range r.Missing {
		list[i] = fmt.Sprintf("%s (%s): %s", m.Name, m.Plugin, m.state())
	}
	return fmt.Errorf("%w: unavailable: %s: %s", ErrIncompatible, strings.Join(r.Unavailable(), ", "), strings.Join(list, "; "))
}

// String is for people: a summary, then what is missing by plugin.
func (r Report) String() string {
	if r.OK() {
		return fmt.Sprintf("all %d kinds available, %d messages\n", len(r.kinds), len(r.messages))
	}
	var b strings.Builder
	gone := r.Unavailable()
	fmt.Fprintf(&b, "%d of %d kinds unavailable: %s\n", len(gone), len(r.kinds), strings.Join(gone, ", "))
	for i, m := range r.Missing {
		if i == 0 || m.Plugin != r.Missing[i-1].Plugin {
			fmt.Fprintf(&b, "%s\n", m.title())
		}
		fmt.Fprintf(&b, "  %s: %s, for %s\n", m.Name, m.state(), strings.Join(m.Kinds, ", "))
	}
	return b.String()
}

func (m Message) state() string {
	if m.VPPCRC == "" {
		return "lacking, want CRC " + m.CRC
	}
	return fmt.Sprintf("has CRC %s, want %s", m.VPPCRC, m.CRC)
}

func (m Message) title() string {
	switch m.Plugin {
	case core:
		return core
	case unknown:
		return "plugin unknown"
	}
	return "plugin " + m.Plugin
}

// Manifest lists the messages of each kind, those of the kinds that it requires
// included, with CRC and plugin. The text depends on nothing else, so that a
// golden file of it shows what an upgrade of the bindings changes.
func Manifest(kinds ...desiredstate.AnyKind) string {
	var b strings.Builder
	from := origins()
	all := uses(kinds)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s\n", name)
		for _, key := range all[name] {
			msg, crc := splitCRC(key)
			fmt.Fprintf(&b, "  %s %s %s\n", msg, crc, origin(from, key))
		}
	}
	return b.String()
}
