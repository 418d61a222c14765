// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/classify"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/vhost_user"
)

// A reading is what the dumps show that vppkit reads.
type reading struct {
	interfaces []*interfaces.SwInterfaceDetails
	bridges    []*l2.BridgeDomainDetails
	ports      []*vhost_user.SwInterfaceVhostUserDetails

	// Of filters.
	sets   []*binding.ACLDetails
	macips []*binding.MacipACLDetails
	bound  []*binding.ACLInterfaceListDetails
	sealed []*binding.MacipACLInterfaceListDetails
	types  []*binding.ACLInterfaceEtypeWhitelistDetails
}

const everything = ^interface_types.InterfaceIndex(0)

// dump is sent, and its details are kept.
type dump struct{ send, receive func() error }

func dumpOf[T any, D interface {
	*T
	api.Message
}](w *wire, request api.Message, to *[]D,
) dump {
	return dump{
		func() error { return w.sendDump(request) },
		func() error {
			return receiveDump(w, func() D { return new(T) }, func(d D) { *to = append(*to, d) })
		},
	}
}

// read reads all of VPP, in one go or message by message; without filters, not
// those.
func (w *wire) read(pipelined, filters bool) (r reading, err error) {
	w.begin()
	dumps := []dump{
		dumpOf(w, &interfaces.SwInterfaceDump{SwIfIndex: everything}, &r.interfaces),
		dumpOf(w, &l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: everything}, &r.bridges),
		dumpOf(w, &vhost_user.SwInterfaceVhostUserDump{SwIfIndex: everything}, &r.ports),
	}
	if filters {
		dumps = append(dumps,
			dumpOf(w, &binding.ACLDump{ACLIndex: ^uint32(0)}, &r.sets),
			dumpOf(w, &binding.MacipACLDump{ACLIndex: ^uint32(0)}, &r.macips),
			dumpOf(w, &binding.ACLInterfaceListDump{SwIfIndex: everything}, &r.bound),
			dumpOf(w, &binding.MacipACLInterfaceListDump{SwIfIndex: everything}, &r.sealed),
			dumpOf(w, &binding.ACLInterfaceEtypeWhitelistDump{SwIfIndex: everything}, &r.types),
		)
	}
	if pipelined {
		for _, d := range dumps {
			if err := d.send(); err != nil {
				return r, err
			}
		}
	}
	for _, d := range dumps {
		if !pipelined {
			if err := d.send(); err != nil {
				return r, err
			}
		}
		if err := d.receive(); err != nil {
			return r, err
		}
	}
	if pipelined {
		return r, w.all(r.effects())
	}
	return r, w.each(r.effects())
}

// effects asks of each interface with filters whether these have an effect, as vppkit
// does.
func (r reading) effects() (asks []ask) {
	asked := map[interface_types.InterfaceIndex]bool{}
	effect := func(index interface_types.InterfaceIndex) {
		if !asked[index] {
			asked[index] = true
			asks = append(asks, ask{request: &l2.L2Flags{SwIfIndex: index, IsSet: true}})
		}
	}
	for _, d := range r.bound {
		if d.Count > 0 {
			effect(d.SwIfIndex)
		}
	}
	for _, d := range r.sealed {
		effect(d.SwIfIndex)
		asks = append(asks, ask{request: &classify.ClassifyTableByInterface{SwIfIndex: d.SwIfIndex}})
	}
	return asks
}

// tags are all that whose objects they are.
func (r reading) tags() (out []string) {
	for _, d := range r.interfaces {
		out = append(out, d.Tag)
	}
	for _, d := range r.bridges {
		out = append(out, d.BdTag)
	}
	for _, d := range r.sets {
		out = append(out, d.Tag)
	}
	for _, d := range r.macips {
		out = append(out, d.Tag)
	}
	return out
}
