// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"container/heap"
	"time"
)

// schedule is a heap of when keys are to be looked at again. What has come to be
// meaningless is left in it until its time.
type schedule []appointment

type appointment struct {
	key Key
	at  time.Time
}

func (s *schedule) add(k Key, at time.Time) { heap.Push(s, appointment{k, at}) }

// upTo takes out all that is due.
func (s *schedule) upTo(now time.Time) (keys []Key) {
	for len(*s) > 0 && !now.Before((*s)[0].at) {
		keys = append(keys, heap.Pop(s).(appointment).key)
	}
	return keys
}

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].at.Before(s[j].at) }
func (s schedule) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

// Push is for heap alone; use add.
func (s *schedule) Push(x any) { *s = append(*s, x.(appointment)) }

// Pop is for heap alone; use upTo.
func (s *schedule) Pop() any {
	last := len(*s) - 1
	x := (*s)[last]
	*s = (*s)[:last]
	return x
}
