// SPDX-License-Identifier: Apache-2.0

package vpptest

import "slices"

// A flood is where an interface comes in the list of a domain's members, by which VPP
// floods: the BVI must be the last to get a frame, and so is the first of the list.
type flood int8

const (
	floodFirst  flood = iota - 1 // a BVI, and what was made one
	floodUsual                   // the zero value
	floodTunnel                  // to one other end
	floodLast                    // to which VPP does not flood: loopbacks, and what was a BVI
)

func (d *domain) insert(i *iface) {
	at := len(d.members)
	switch i.at {
	case floodFirst:
		at = 0
	case floodUsual, floodTunnel:
		for _, m := range d.members {
			if m.at > i.at {
				at--
			}
		}
	}
	d.members = slices.Insert(d.members, at, i)
}
