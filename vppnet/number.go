// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// Where VPP lets us number a thing and shows the number, that tells whose the thing is before
// it has a tag, or if it can have none. A number of ours is made of the owner and of what the
// thing is, and is far from those that people, or VPP itself, pick.

// Numbers are those that a thing of ours can have, where VPP lets us number it and shows no more of
// it than that: they are made of the owner and of what it is. The first that is free is to be taken.
func (c *Conn) Numbers(what string) (all []uint32) {
	for _, try := range []string{"", "1", "2", "3"} {
		sum := sha256.Sum256([]byte(c.Owner() + ofOwner + what + "\x00" + try))
		all = append(all, 1<<30|binary.BigEndian.Uint32(sum[:])>>2)
	}
	return all
}

// numbered says whether a thing has a number of ours.
func (c *Conn) numbered(what string, n uint32) bool { return slices.Contains(c.Numbers(what), n) }

// numberIn is the number at the end of VPP's name for an interface; 0 if somebody renamed it.
func numberIn(vppName, prefix string) uint32 {
	digits, ok := strings.CutPrefix(vppName, prefix)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil {
		return 0
	}
	return uint32(n)
}

func number(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
