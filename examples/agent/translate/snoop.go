// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Snoops is how many ports can be snooped on at a time.
const Snoops = 4

// Snoop is a way by which copies of what passes a port come out of VPP: a memif, in a bridge
// domain that leads nowhere.
type Snoop struct {
	Place  int // 0 to Snoops-1
	Secret vppnet.Secret

	NoRx, NoTx bool // of what comes from the port, and of what goes to it
}

// name is of its interface and its bridge domain; no network and no bond can be called so.
func (x Snoop) name() string { return fmt.Sprintf("snoop.%d", x.Place) }

// Socket is the path of the socket by which to get the copies.
func (x Snoop) Socket(s Site) string { return filepath.Join(s.Dir, x.name()) }

// Mirror copies what passes a port to it.
func (x Snoop) Mirror(p Port) vppnet.Mirror {
	m := tapMirror(p.Interface(), x.name())
	m.NoRx, m.NoTx = x.NoRx, x.NoTx
	return m
}

// Objects are what VPP shall hold for it.
func (x Snoop) Objects(s Site, p Port) []desiredstate.Object {
	return append(deadEnd(vppnet.LinkState{Interface: x.name(), Up: true}),
		vppnet.MemifSocket{Path: x.Socket(s)},
		vppnet.Memif{Name: x.name(), Socket: x.Socket(s), Secret: x.Secret},
		x.Mirror(p))
}

// OfSnoops are those of these keys that can only be of snoops.
func (s Site) OfSnoops(found []desiredstate.Found) (keys []desiredstate.Key) {
	for place := range Snoops {
		x := Snoop{Place: place}
		own := map[desiredstate.Key]bool{}
		for _, o := range x.Objects(s, Port{}) {
			own[o.Key()] = true
		}
		for _, f := range found {
			mirror := f.Key.Space == x.Mirror(Port{}).Key().Space && strings.HasSuffix(f.Key.Name, ">"+x.name()+">L2")
			if !f.Foreign && (own[f.Key] || mirror) {
				keys = append(keys, f.Key)
			}
		}
	}
	return keys
}
