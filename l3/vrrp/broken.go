// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"context"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// What can be wrong with a router that is just as asked for.
const (
	isStuck = "VPP lets it wait for what has come long ago"
	isDeaf  = "it is on a BVI that would not hear what is for it"
	isLeft  = "an interface that has gone left it, and it has no effect"
	isBlind = "it tracks an interface that has gone"
)

// lost says that only a new router takes the place of one that is broken like this.
func lost(broken string) bool {
	return strings.Contains(broken, isLeft) || strings.Contains(broken, isBlind)
}

// also adds to what is wrong.
func also(broken *string, what string) {
	if *broken != "" {
		what = *broken + ", " + what
	}
	*broken = what
}

// ear is where an interface listens for its routers. VPP turns it on when the first one starts, and
// not for what has the index of that interface later, though it lists the routers as that one's.
func (r Router) ear() iface.Feature {
	if r.is6() {
		return iface.Feature{Arc: "ip6-local", End: "ip6-local-end-of-arc", Name: "vrrp6-nd-input"}
	}
	return iface.Feature{Arc: "arp", End: "error-drop", Name: "vrrp4-arp-input"}
}

// left finds those that take part, and whose interface does not listen, if VPP can be asked.
func (k routers) left(ctx context.Context, v *desiredstate.View, all []desiredstate.Actual[Router]) error {
	var started []desiredstate.Actual[Router]
	var at []int
	for i, a := range all {
		if _, there := v.Name(vppnet.InterfaceKey("").Space, a.ID); there && !a.Spec.Stopped {
			a.Broken = ""
			started, at = append(started, a), append(at, i)
		}
	}
	started, err := iface.Broken(ctx, k.c, started, Router.ear)
	for i, a := range started {
		if a.Broken != "" {
			also(&all[at[i]].Broken, isLeft)
		}
	}
	return err
}

// blind says whether a router tracks an interface that has gone. VPP counts it as down, and takes it off
// no more.
func blind(v *desiredstate.View, all []TrackedInterface) bool {
	return slices.ContainsFunc(all, func(t TrackedInterface) bool {
		_, err := v.ID(vppnet.InterfaceKey(t.Interface))
		return err != nil
	})
}
