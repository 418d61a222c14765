// SPDX-License-Identifier: Apache-2.0

package classify

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Table is a table of sessions, which are told from each other by the bits of Mask. An empty
// Mask has one session, for all packets.
type Table struct {
	Name string

	// Mask is of the frame as it came in, or, of a table that filters output, of the packet
	// from its IP header on. It has a bit in at most five times 16 bytes, counted from the
	// first 16 with any.
	Mask Pattern

	// Header has the Mask begin at the header that VPP is at, as the IP header for a table
	// that filters IP, and Offset bytes on. Only tables that filter have it.
	Header bool
	Offset int16

	// Sessions is how many it has room for. VPP makes a power of two of it; 0 is VPP's 2, and
	// the most is 1 << 20.
	Sessions uint32

	Next string // the table that is asked about what has no session here
	Deny bool   // of one without Next, which filters: what has no session is dropped

	odd string // of one that was found: what no Table can say
}

// most is how many sessions a table can have room for.
const most = 1 << 20

// TableKey is the key of a table; one that is not ours is named by its owner's name for it,
// "owner/name", or by VPP's index, "vpp:7".
func TableKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "classify-table", Name: name}
}

// Key is TableKey(t.Name).
func (t Table) Key() desiredstate.Key { return TableKey(t.Name) }

// Deps lists the next table.
func (t Table) Deps() []desiredstate.Key {
	if t.Next == "" {
		return nil
	}
	return []desiredstate.Key{TableKey(t.Next)}
}

// Validate refuses what VPP would, or takes for something else.
func (t Table) Validate() error {
	if err := cmp.Or(vppnet.CheckName(t.Name), t.Mask.check("the mask")); err != nil {
		return err
	}
	s := t.Mask.shape()
	switch {
	case s.match > vectors:
		return fmt.Errorf("the mask has bits in %d times 16 bytes, want at most %d", s.match, vectors)
	case t.Offset != 0 && !t.Header:
		return errors.New("only a mask that begins at a header has an offset")
	case t.Sessions > most:
		return fmt.Errorf("room for %d sessions, want at most %d", t.Sessions, most)
	case t.Next == t.Name:
		return errors.New("comes after itself")
	case t.Next != "" && t.Deny:
		return errors.New("what has no session is asked of the next table: that one says whether it is dropped")
	case t.Next != "":
		return vppnet.CheckRef("next table", t.Next)
	}
	return nil
}

// buckets is what VPP has of room for so many sessions.
func buckets(sessions uint32) uint32 { return 1 << bits.Len32(max(sessions, 2)-1) }

// memory is what a table is given, in bytes; it is taken as it is used. VPP dies when a table
// needs more. Sessions whose hashes lie as chance has it need three times their size, sequences
// of addresses five, and what comes and goes for years more.
func memory(buckets uint32, s shape) uint32 {
	return 1<<18 + buckets*uint32(32+s.match*vector)*16
}
