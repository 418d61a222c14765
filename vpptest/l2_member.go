// SPDX-License-Identifier: Apache-2.0

package vpptest

import "slices"

// A flood is where an interface comes in the list of a domain's members, by which VPP
// floods: the BVI must be the last to get a frame, and so is the first of the list.
type flood uint8

const (
	floodUsual flood = iota
	floodFirst       // a BVI, and what was made one
	floodLast        // to which VPP does not flood: loopbacks, and what was a BVI
)

func (d *domain) insert(i *iface) {
	at := len(d.members)
	switch i.at {
	case floodFirst:
		at = 0
	case floodUsual:
		for _, m := range d.members {
			if m.at == floodLast {
				at--
			}
		}
	}
	d.members = slices.Insert(d.members, at, i)
}
