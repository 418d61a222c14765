// SPDX-License-Identifier: Apache-2.0

package classify

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/classify"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// A label is the empty table behind one of ours. Its mask is text: the tag of what it stands
// behind, with what VPP does not show of that. It goes on where that would.

const none = ^uint32(0)

// deny and pass are what becomes of packets, as VPP numbers it. It passes what has any number
// beyond those of the nodes that may come next.
const deny, pass = uint32(0), none

// table is one as VPP shows it, by its index.
type table = *classify.ClassifyTableInfoReply

// text is what the mask of a label says; "" of another table.
func text(t table) string {
	if t == nil || t.SkipNVectors != 0 || t.Nbuckets != 1 || t.ActiveSessions != 0 {
		return ""
	}
	s := strings.TrimRight(string(t.Mask), "\x00")
	if !(vppnet.Named{Tag: s}).Owned() {
		return ""
	}
	return s
}

// at asks for the tables with these indexes; nil where none is.
func (k tables) at(ctx context.Context, ids ...uint32) ([]table, error) {
	requests := make([]api.Message, len(ids))
	for i, id := range ids {
		requests[i] = &classify.ClassifyTableInfo{TableID: id}
	}
	found, err := vppnet.AskEach[table](ctx, k.c, requests...)
	for i, t := range found {
		if t.Retval != 0 {
			found[i] = nil
		}
	}
	return found, err
}

// labels are what stands behind these tables; nil where nothing does that is one.
func (k tables) labels(ctx context.Context, of []table) ([]table, error) {
	out := make([]table, len(of))
	var ids []uint32
	var whose []int
	for i, t := range of {
		if t != nil && t.NextTableIndex != none {
			ids, whose = append(ids, t.NextTableIndex), append(whose, i)
		}
	}
	behind, err := k.at(ctx, ids...)
	for n, l := range behind {
		if text(l) != "" {
			out[whose[n]] = l
		}
	}
	return out, err
}

// named is what a table is called: by its label, or by its index. A label that stands behind
// none is called as what it was for.
func named(id uint32, t, label table) vppnet.Named {
	n := vppnet.Named{Tag: text(label), VPP: strconv.FormatUint(uint64(id), 10)}
	if label == nil {
		n.Tag = text(t)
	}
	return n
}

// proven is the table and its label, which are looked at right before they are changed:
// ErrChanged if they are no longer what they were.
func (k tables) proven(ctx context.Context, name string, id uint32) (t, label table, err error) {
	of, err := k.at(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	labels, err := k.labels(ctx, of)
	if err != nil {
		return nil, nil, err
	}
	if of[0] == nil || !k.c.Is(name, named(id, of[0], labels[0])) {
		return nil, nil, fmt.Errorf("%w: the classifier's table %d is another one by now", desiredstate.ErrChanged, id)
	}
	return of[0], labels[0], nil
}

// header is the options of a label of a table whose mask begins at a header.
func (t Table) header() []string {
	switch {
	case !t.Header:
		return nil
	case t.Offset == 0:
		return []string{"h"}
	}
	return []string{"h=" + strconv.Itoa(int(t.Offset))}
}

// readHeader is the other way round.
func (t *Table) readHeader(opts []string) {
	for _, o := range opts {
		if o == "h" {
			t.Header = true
		} else if digits, ok := strings.CutPrefix(o, "h="); ok {
			if n, err := strconv.ParseInt(digits, 10, 16); err == nil {
				t.Header, t.Offset = true, int16(n)
			}
		}
	}
}

// sift leaves out labels of ours that their tables no longer have, and says of which there are
// some.
func (k tables) sift(all map[uint32]table, ids []uint32) (kept []uint32, left map[string]bool) {
	left = make(map[string]bool)
	have := make(map[string]bool, len(ids))
	for _, id := range ids {
		tag := named(id, all[id], k.label(all, id)).Tag
		if _, ours := k.c.Untag(tag); ours && text(all[id]) != "" && have[tag] {
			left[tag] = true
			continue
		}
		have[tag] = true
		kept = append(kept, id)
	}
	return kept, left
}

// label is what stands behind a table, of all that there are.
func (k tables) label(all map[uint32]table, id uint32) table {
	if l := all[all[id].NextTableIndex]; text(all[id]) == "" && text(l) != "" {
		return l
	}
	return nil
}

// clear removes labels with this text that stand behind no table.
func (k tables) clear(ctx context.Context, tag string) error {
	all, err := k.all(ctx)
	if err != nil {
		return err
	}
	behind := make(map[uint32]bool, len(all))
	for _, t := range all {
		if text(t) == "" {
			behind[t.NextTableIndex] = true
		}
	}
	for id, t := range all {
		if text(t) == tag && !behind[id] {
			if err := k.remove(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// all is all tables, by index.
func (k tables) all(ctx context.Context) (map[uint32]table, error) {
	ids, err := vppnet.AskEach[*classify.ClassifyTableIdsReply](ctx, k.c, &classify.ClassifyTableIds{})
	if err != nil {
		return nil, err
	}
	r := ids[0]
	found, err := k.at(ctx, r.Ids...)
	all := make(map[uint32]table, len(found))
	for i, t := range found {
		if t != nil {
			all[r.Ids[i]] = t
		}
	}
	return all, err
}
