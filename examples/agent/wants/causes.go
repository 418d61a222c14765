// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
)

// Causes says why what is made of these objects is not whole: not that one part of
// it waits for another, but what the first of them waits for, or was refused. That
// something's turn has not come is no cause.
func Causes(s *desiredstate.Store, keys []desiredstate.Key) (out []string) {
	failed := map[desiredstate.Key]desiredstate.Status{}
	for _, k := range keys {
		if status, _ := s.Status(k); status.Err != nil {
			failed[k] = status
		}
	}
	said := map[string]bool{}
	for _, k := range keys {
		within := func(by desiredstate.Key) bool { return failed[by].Err != nil }
		status, wrong := failed[k]
		if !wrong || slices.ContainsFunc(status.BlockedBy, within) || said[status.Err.Error()] || inTurn(s, status) {
			continue
		}
		said[status.Err.Error()] = true
		out = append(out, fmt.Sprintf("%s: %v", k, status.Err))
	}
	return out
}

// inTurn says whether an object waits for nothing but what is being made, or has been
// a moment ago.
func inTurn(s *desiredstate.Store, status desiredstate.Status) bool {
	return errors.Is(status.Err, desiredstate.ErrMissing) && len(status.BlockedBy) > 0 &&
		!slices.ContainsFunc(status.BlockedBy, func(by desiredstate.Key) bool {
			_, wanted := s.Want(by)
			st, _ := s.Status(by)
			return !wanted || st.State != desiredstate.Pending && st.State != desiredstate.Applied
		})
}
