// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

const (
	nobody        = "-"         // owner of what bears nobody's tag
	interfaceKind = "interface" // of interfaces that no kind makes
	reader        = "vppls"     // whom VPP's log shows, and an owner who has nothing
)

// thing is something in VPP.
type thing struct {
	Owner string              `json:"owner"`
	Kind  string              `json:"kind"`
	Space string              `json:"space"`
	Name  string              `json:"name"` // as its owner calls it
	ID    uint32              `json:"id"`
	VPP   string              `json:"vpp,omitempty"` // what VPP calls it, if it is an interface
	State string              `json:"state,omitempty"`
	Spec  desiredstate.Object `json:"spec"`

	on []string // what it hangs on, as refs
}

// ref is what tells a thing from all others: two owners may have one name.
func (t thing) ref() string { return t.Owner + "\x00" + t.Space + "/" + t.Name }

// sight is VPP as one owner sees it: his own things by his names, all others by theirs.
type sight struct {
	owner string
	found []desiredstate.Found
	seen  []desiredstate.Actual[vppnet.Interface]
	lacks binapi.Report
	err   error // what could not be read
}

// read lists what is there, and says what cannot be told. VPP shows each owner's things in full
// to nobody but him, so it is looked at by everybody's eyes: by those of one who has nothing
// first, who learns whose tags there are. Nobody's is what all see, and nobody has.
func read(ctx context.Context, socket string) ([]thing, []string, error) {
	variant, err := variantOf(ctx, socket)
	if err != nil {
		return nil, nil, err
	}
	first, err := look(ctx, socket, reader, variant)
	if err != nil {
		return nil, nil, err
	}
	owners, none := map[string]bool{}, map[string]thing{}
	for _, t := range first.things() {
		owners[t.Owner] = true
		if t.Owner == nobody {
			none[t.Kind+" "+t.Name] = t
		}
	}
	delete(owners, nobody)
	said := complaints(first)
	var all []thing
	for o := range owners {
		s, err := look(ctx, socket, o, variant)
		if err != nil {
			return nil, nil, err
		}
		seen := map[string]bool{}
		for _, t := range s.things() {
			seen[t.Kind+" "+t.Name] = true
			if _, shared := none[t.Kind+" "+t.Name]; t.Owner == o && !shared {
				all = append(all, t)
			}
		}
		maps.DeleteFunc(none, func(name string, _ thing) bool { return !seen[name] })
		said = append(said, complaints(s)...)
	}
	all = slices.AppendSeq(all, maps.Values(none))
	slices.SortFunc(all, func(a, b thing) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	slices.Sort(said)
	return all, slices.Compact(said), nil
}

// complaints are what cannot be told.
func complaints(s sight) (out []string) {
	for _, k := range s.lacks.Unavailable() {
		out = append(out, s.lacks.Why(k).Error())
	}
	if s.err != nil {
		out = append(out, strings.Split(s.err.Error(), "\n")...)
	}
	return out
}

// variantOf says which plugin translates, if any does.
func variantOf(ctx context.Context, socket string) (nat.Variant, error) {
	c, err := vppnet.Dial(ctx, socket, reader)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	all := translation(c, nat.EndpointIndependent)
	e := desiredstate.New(binapi.Check(c, all...).Available(all...)...)
	found, _ := e.Found(ctx) // what cannot be read is said later
	for _, f := range found {
		if _, is := f.Spec.(nat.Plugin); is {
			return nat.EndpointIndependent, nil
		}
	}
	return nat.EndpointDependent, nil
}

// look sees VPP by an owner's eyes.
func look(ctx context.Context, socket, owner string, variant nat.Variant) (sight, error) {
	c, err := vppnet.Dial(ctx, socket, owner)
	if err != nil {
		return sight{}, err
	}
	defer func() { _ = c.Close() }()
	all := append(kinds(c, variant), vppnet.Interfaces(c))
	s := sight{owner: owner, lacks: binapi.Check(c, all...)}
	e := desiredstate.New(s.lacks.Available(all...)...)
	if s.found, s.err = e.Found(ctx); s.found == nil && s.err != nil {
		return s, s.err
	}
	s.seen, err = desiredstate.List[vppnet.Interface](ctx, e)
	return s, err
}

// things are all that s sees.
func (s sight) things() (out []thing) {
	vpp := map[string]vppnet.Interface{}
	for _, a := range s.seen {
		vpp[a.Spec.Name] = a.Spec
	}
	made := map[string]bool{}
	for _, f := range s.found {
		t := thing{Owner: s.whose(f), Kind: f.Kind, Space: f.Key.Space, Name: f.Key.Name, ID: f.ID, Spec: f.Spec}
		switch {
		case f.Broken != "":
			t.State = "broken: " + f.Broken
		case f.Unverified:
			t.State = "unverified"
		}
		if f.Key.Space == "interface" {
			t.VPP = vpp[f.Key.Name].VPPName
			t.State = cmp.Or(t.State, state(vpp[f.Key.Name]))
		}
		for _, d := range f.Spec.Deps() {
			t.on = append(t.on, s.ref(d))
		}
		made[f.Key.Name] = made[f.Key.Name] || f.Key.Space == "interface"
		out = append(out, t)
	}
	for _, a := range s.seen {
		if i := a.Spec; !made[i.Name] {
			t := thing{
				Owner: s.or(ownerIn(i.Name, s.owner)), Kind: interfaceKind, Space: "interface", Name: i.Name, ID: a.ID,
				VPP: i.VPPName, State: state(i), Spec: i,
			}
			if i.Parent != "" {
				t.on = []string{s.ref(vppnet.InterfaceKey(i.Parent))}
			}
			out = append(out, t)
		}
	}
	return out
}

// state is how an interface is.
func state(i vppnet.Interface) string {
	switch {
	case i.VPPName == "":
		return ""
	case !i.Up:
		return "down"
	case !i.LinkUp:
		return "no link"
	}
	return "up"
}

// ref is a thing's, by its key as s sees it: another's thing is known by what that one calls it.
func (s sight) ref(k desiredstate.Key) string {
	o := s.or(ownerIn(k.Name, s.owner))
	return thing{Owner: o, Space: k.Space, Name: strings.TrimPrefix(k.Name, o+"/")}.ref()
}

// whose says who has what was found: whose name it has, or those of what it hangs on have; an
// interface before all else. What some claim may hang on others' things alone.
func (s sight) whose(f desiredstate.Found) string {
	if f.Foreign && named[f.Key.Space] {
		return ownerIn(f.Key.Name, s.owner)
	}
	owner, ours := "", false
	for _, d := range f.Spec.Deps() {
		switch o := ownerIn(d.Name, s.owner); {
		case !named[d.Space]:
		case o == s.owner:
			ours = true
		case d.Space == "interface":
			owner = o
		default:
			owner = cmp.Or(owner, o)
		}
	}
	if owner == "" || ours && !f.Foreign && !byDeps[f.Kind] {
		owner = s.owner
	}
	return s.or(owner)
}

// or is the owner, or nobody in place of who only looks.
func (s sight) or(owner string) string {
	if owner == reader {
		return nobody
	}
	return owner
}

// ownerIn says whose a name is, by the one who uses it.
func ownerIn(name, user string) string {
	if strings.HasPrefix(name, vppnet.Foreign("")) {
		return nobody
	}
	if o, _, ok := strings.Cut(name, "/"); ok {
		return o
	}
	return user
}
