// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/policer_types"
)

// policers are in a pool; which are on an interface no message tells.
type policers struct {
	v     *VPP
	all   []*policer.PolicerDetails // by index; nil: free
	free  []int                     // the last one goes first
	index [2]map[uint32]int         // by interface, in and out; as it was told, on or off
	known [2]uint32                 // the first interface beyond all that index has room for
	on    map[string]map[uint32]int // by arc and interface, how often: VPP runs a feature as often as it is on
}

const policerIn, policerOut = "policer-input", "policer-output"

// policerArcs are those that an attachment is on, in and out.
var policerArcs = [2][]string{{"device-input"}, {"ip4-output", "ip6-output"}}

func loadPolicers(v *VPP) {
	s := &policers{v: v, index: [2]map[uint32]int{{}, {}}, on: make(map[string]map[uint32]int)}
	v.life.states = append(v.life.states, s.dump)
	i := v.life.interfaces
	i.deleting = append(i.deleting, func(i *iface) {
		for _, arcs := range policerArcs {
			for _, arc := range arcs {
				delete(s.on[arc], i.index)
			}
		}
	})
	for out, arcs := range policerArcs {
		for _, arc := range arcs {
			s.on[arc] = make(map[uint32]int)
			name := []string{policerIn, policerOut}[out]
			v.life.features.follow(arc, name, func(i *iface) bool { return s.on[arc][i.index] > 0 })
			v.life.features.toggle(arc, name, func(i *iface, on bool) { s.toggle(arc, i, on) })
		}
	}
	Handle(v, s.add)
	Handle(v, s.addDel)
	Handle(v, s.update)
	Handle(v, s.del)
	Handle(v, s.reset)
	Handle(v, s.bind)
	Handle(v, s.bindV2)
	Handle(v, func(c *Call, q *policer.PolicerInput) *policer.PolicerInputReply {
		return &policer.PolicerInputReply{Retval: s.attach(c, 0, q.SwIfIndex, s.named(q.Name), q.Apply)}
	})
	Handle(v, func(c *Call, q *policer.PolicerOutput) *policer.PolicerOutputReply {
		return &policer.PolicerOutputReply{Retval: s.attach(c, 1, q.SwIfIndex, s.named(q.Name), q.Apply)}
	})
	// VPP answers to the second versions with replies of the first.
	Handle(v, func(c *Call, q *policer.PolicerInputV2) *policer.PolicerInputReply {
		return &policer.PolicerInputReply{Retval: s.attach(c, 0, q.SwIfIndex, int(q.PolicerIndex), q.Apply)}
	})
	Handle(v, func(c *Call, q *policer.PolicerOutputV2) *policer.PolicerOutputReply {
		return &policer.PolicerOutputReply{Retval: s.attach(c, 1, q.SwIfIndex, int(q.PolicerIndex), q.Apply)}
	})
	HandleDump(v, func(_ *Call, q *policer.PolicerDump) []*policer.PolicerDetails {
		if !q.MatchNameValid {
			return s.list()
		}
		return shown(s.at(s.named(q.MatchName)))
	})
	HandleDump(v, func(_ *Call, q *policer.PolicerDumpV2) []*policer.PolicerDetails {
		if q.PolicerIndex == none {
			return s.list()
		}
		return shown(s.at(int(q.PolicerIndex)))
	})
}

func (s *policers) at(index int) *policer.PolicerDetails {
	if index < 0 || index >= len(s.all) {
		return nil
	}
	return s.all[index]
}

// named is the index of a policer, -1 if there is none.
func (s *policers) named(name string) int {
	return slices.IndexFunc(s.all, func(p *policer.PolicerDetails) bool { return p != nil && p.Name == name })
}

func (s *policers) list() []*policer.PolicerDetails { return shown(s.all...) }

// shown are those that there are. VPP knows one by 64 bytes of its name, and shows 63.
func shown(all ...*policer.PolicerDetails) (out []*policer.PolicerDetails) {
	for _, p := range all {
		if p != nil {
			d := *p
			d.Name = d.Name[:min(63, len(d.Name))]
			out = append(out, &d)
		}
	}
	return out
}

func (s *policers) make(name string, c policer_types.PolicerConfig) (index uint32, retval int32) {
	if s.named(name) >= 0 {
		return none, valueExists
	}
	p, ok := police(c)
	if !ok {
		return none, invalidValue
	}
	p.Name = name
	at := len(s.all)
	if n := len(s.free); n > 0 {
		at, s.free = s.free[n-1], s.free[:n-1]
	} else {
		s.all = append(s.all, nil)
	}
	s.all[at] = p
	return uint32(at), 0
}

func (s *policers) unmake(index int) int32 {
	if s.at(index) == nil {
		return noSuchEntry
	}
	s.all[index] = nil
	s.free = append(s.free, index)
	return 0
}

func (s *policers) add(_ *Call, q *policer.PolicerAdd) *policer.PolicerAddReply {
	index, retval := s.make(q.Name, q.Infos)
	return &policer.PolicerAddReply{PolicerIndex: index, Retval: retval}
}

func (s *policers) addDel(_ *Call, q *policer.PolicerAddDel) *policer.PolicerAddDelReply {
	if !q.IsAdd {
		return &policer.PolicerAddDelReply{Retval: s.unmake(s.named(q.Name)), PolicerIndex: none}
	}
	index, retval := s.make(q.Name, policer_types.PolicerConfig{
		Cir: q.Cir, Eir: q.Eir, Cb: q.Cb, Eb: q.Eb, RateType: q.RateType, RoundType: q.RoundType, Type: q.Type,
		ColorAware: q.ColorAware, ConformAction: q.ConformAction, ExceedAction: q.ExceedAction, ViolateAction: q.ViolateAction,
	})
	return &policer.PolicerAddDelReply{Retval: retval, PolicerIndex: index}
}

func (s *policers) update(_ *Call, q *policer.PolicerUpdate) *policer.PolicerUpdateReply {
	was := s.at(int(q.PolicerIndex))
	if was == nil {
		return &policer.PolicerUpdateReply{Retval: noSuchEntry}
	}
	p, ok := police(q.Infos)
	if !ok {
		return &policer.PolicerUpdateReply{Retval: invalidValue}
	}
	p.Name = was.Name
	s.all[q.PolicerIndex] = p
	return &policer.PolicerUpdateReply{}
}

func (s *policers) del(_ *Call, q *policer.PolicerDel) *policer.PolicerDelReply {
	return &policer.PolicerDelReply{Retval: s.unmake(int(q.PolicerIndex))}
}

func (s *policers) reset(_ *Call, q *policer.PolicerReset) *policer.PolicerResetReply {
	if s.at(int(q.PolicerIndex)) == nil {
		return &policer.PolicerResetReply{Retval: noSuchEntry}
	}
	return &policer.PolicerResetReply{}
}

func (s *policers) bind(_ *Call, q *policer.PolicerBind) *policer.PolicerBindReply {
	return &policer.PolicerBindReply{Retval: s.toWorker(s.named(q.Name), q.BindEnable)}
}

func (s *policers) bindV2(_ *Call, q *policer.PolicerBindV2) *policer.PolicerBindV2Reply {
	return &policer.PolicerBindV2Reply{Retval: s.toWorker(int(q.PolicerIndex), q.BindEnable)}
}

// toWorker gives a policer to a worker, of which there are none.
func (s *policers) toWorker(index int, bind bool) int32 {
	switch {
	case s.at(index) == nil:
		return noSuchEntry
	case bind:
		return invalidWorker
	}
	return 0
}

func (s *policers) attach(c *Call, out int, on interface_types.InterfaceIndex, index int, apply bool) int32 {
	i := s.v.life.interfaces.at(on)
	switch {
	case i == nil:
		return invalidInterface
	case s.at(index) == nil:
		return noSuchEntry
	case !apply && i.index >= s.known[out]:
		return c.NotImitated("a policer taken off an interface beyond all that ever had one: VPP writes where it has nothing")
	}
	if s.index[out][i.index] = index; apply {
		s.known[out] = max(s.known[out], i.index+1)
	} else {
		delete(s.index[out], i.index)
	}
	for _, arc := range policerArcs[out] {
		s.toggle(arc, i, apply)
	}
	return 0
}

// toggle turns the feature on once more, or once less.
func (s *policers) toggle(arc string, i *iface, on bool) {
	s.v.life.features.toggled(arc, i)
	if on {
		s.on[arc][i.index]++
	} else if s.on[arc][i.index] > 0 {
		s.on[arc][i.index]--
	}
}

func (s *policers) dump(d *dump) {
	for _, p := range s.all {
		if p != nil {
			d.line(fmt.Sprintf("policer %q %v %d/%d burst %d/%d %v round %v", p.Name, p.Type, p.Cir, p.Eir, p.Cb, p.Eb, p.RateType, p.RoundType),
				fmt.Sprintf("conform %v exceed %v violate %v", p.ConformAction, p.ExceedAction, p.ViolateAction), when(p.ColorAware, "color aware"))
		}
	}
	for out, arcs := range policerArcs {
		for _, arc := range arcs {
			for _, i := range sortedKeys(s.on[arc]) {
				if n := s.on[arc][i]; n > 0 {
					d.line(fmt.Sprintf("policer %s on %d in %s", s.attached(out, i), i, arc), when(n > 1, "%d times", n))
				}
			}
		}
	}
}

// attached is the name of the policer of an interface.
func (s *policers) attached(out int, on uint32) string {
	index, told := s.index[out][on]
	if p := s.at(index); told && p != nil {
		return fmt.Sprintf("%q", p.Name)
	}
	return "that is no more"
}
