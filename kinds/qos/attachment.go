// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"cmp"
	"context"
	"sync/atomic"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/feature"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/policer"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// Attachment has a policer measure what an interface receives or sends.
//
// What is received is measured as frames come from the device, so one on a sub-interface
// is refused, until VPP 26.06, from which on it is measured as packets of the interface.
// What is sent is measured as IP packets that VPP routes there.
type Attachment struct {
	Interface string
	Output    bool // what it sends; else what it receives
	Policer   string

	by string // of one found, whose policer VPP does not show: a policer that it can be taken off by
}

// AttachmentKey is the key of the Attachment of an interface in one direction.
func AttachmentKey(iface string, output bool) desiredstate.Key {
	if output {
		return desiredstate.Key{Space: "policer-attachment", Name: iface + ">"}
	}
	return desiredstate.Key{Space: "policer-attachment", Name: ">" + iface}
}

// Key is AttachmentKey(a.Interface, a.Output).
func (a Attachment) Key() desiredstate.Key { return AttachmentKey(a.Interface, a.Output) }

// Deps lists the interface and the policer.
func (a Attachment) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{vppnet.InterfaceKey(a.Interface)}
	if p := cmp.Or(a.Policer, a.by); p != "" {
		deps = append(deps, PolicerKey(p))
	}
	return deps
}

// Validate checks the names.
func (a Attachment) Validate() error {
	return cmp.Or(vppnet.CheckRef("interface", a.Interface), vppnet.CheckRef("policer", a.Policer))
}

// Attachments manages which policers measure what our interfaces, and those that are
// claimed, receive and send (policer_input, policer_output). m remembers which policer VPP
// was told of, as VPP does not show it: keep one Memory as long as the program lives.
//
// VPP measures as often as it was told, and what measures without a policer, or by one that
// has gone, is nothing that it notices. So that an attachment is there exactly once, whatever
// failed or was restarted, what is on is turned off (feature_enable_disable) until it is
// off, and only then turned on. VPP shows whether something measures (feature_is_enabled,
// from 25.06 on): an attachment that somebody took off is put back, one of which this
// program does not know the policer, after a restart, is made anew, or goes if nobody wants
// it. It is never on twice, and measures nothing for the time of one message. A VPP before
// 25.06 is believed to have what it was told, and to have nothing on more than 8 times.
func Attachments(c *vppnet.Conn, m *vppnet.Memory, claims ...vppnet.Claim) *desiredstate.Kind[Attachment] {
	k := &attachments{c: c, vpp: policer.NewServiceClient(c), claims: claims}
	kind := vppnet.Remembered(c, m, iface.On(c, claims, &desiredstate.Kind[Attachment]{
		Name:     "policer-attachment",
		Requires: []desiredstate.AnyKind{Policers(c)},
		Messages: iface.Uses(c, &policer.PolicerInput{}, &policer.PolicerOutput{}, &feature.FeatureEnableDisable{}, &interfaces.SwInterfaceDump{}, &memclnt.ControlPing{}),
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Attachment], want Attachment) error {
			return k.attach(ctx, have.ID, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Attachment]) error {
			return vppnet.Gone(k.detach(ctx, have.ID, have.Spec), api.INVALID_SW_IF_INDEX)
		},
	}, func(ctx context.Context, _ *desiredstate.View, id uint32, a Attachment) error {
		return k.attach(ctx, id, a)
	}))
	told := kind.Dump
	kind.Dump = func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[Attachment], error) {
		known, err := told(ctx, v)
		if err != nil || !iface.Asks(c) {
			return known, err
		}
		return k.seen(ctx, v, known)
	}
	return kind
}

type attachments struct {
	c      *vppnet.Conn
	vpp    policer.RPCService
	claims []vppnet.Claim
	in     atomic.Pointer[[]iface.Feature] // nil: not asked yet
}

// seen is what is known of attachments, and what VPP shows of them: those that are off are
// not there, and those that are on are, whoever told VPP of them.
func (k *attachments) seen(ctx context.Context, v *desiredstate.View, known []desiredstate.Actual[Attachment]) (out []desiredstate.Actual[Attachment], err error) {
	told := make(map[desiredstate.Key]Attachment, len(known))
	for _, a := range known {
		told[a.Spec.Key()] = a.Spec
	}
	ours, ids := iface.Scope(k.claims).All(v)
	on, err := k.on(ctx, ids...)
	if err != nil {
		return nil, err
	}
	by := ""
	for p := range desiredstate.All[Policer](v) {
		by = p.Spec.Name
		break
	}
	for n, i := range ours {
		for way, output := range []bool{false, true} {
			if !on[n][way] {
				continue
			}
			a := Attachment{Interface: i.Spec.Name, Output: output}
			if t, ok := told[a.Key()]; ok {
				a = t
			} else {
				a.by = by
			}
			out = append(out, desiredstate.Actual[Attachment]{ID: i.ID, Spec: a})
		}
	}
	return out, nil
}

// attach makes a policer the one that measures, and has it measure once.
func (k *attachments) attach(ctx context.Context, id uint32, a Attachment) error {
	done, err := k.turn(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	if err := k.off(ctx, id, a.Output); err != nil {
		return err
	}
	return k.apply(ctx, id, a.Output, a.Policer, true)
}

// detach turns measuring off. VPP is then told to forget the policer, of which it wants to
// know one by name; it forgets nothing where measuring is on, as it would measure by none.
func (k *attachments) detach(ctx context.Context, id uint32, a Attachment) error {
	done, err := k.turn(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	if err := k.off(ctx, id, a.Output); err != nil {
		return err
	}
	if p := cmp.Or(a.Policer, a.by); p != "" {
		return vppnet.Gone(k.apply(ctx, id, a.Output, p, false), api.NO_SUCH_ENTRY)
	}
	return nil
}
