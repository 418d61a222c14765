// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// before is the result of what was done before this command: for ADD by the plugins before it in the list, for
// CHECK and DEL by them all. nil: there is none.
func before(c *netconf.Conf) (*types100.Result, error) {
	if c.PrevResult == nil {
		if err := version.ParsePrevResult(&c.PluginConf); err != nil {
			return nil, types.NewError(types.ErrDecodingFailure, "prevResult", err.Error())
		}
	}
	if c.PrevResult == nil {
		return nil, nil
	}
	r, err := current(c.PrevResult)
	if err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "prevResult", err.Error())
	}
	return r, nil
}

// current is a result of somebody else in the newest version, and whole: what is null where an interface is to be
// ends whoever looks at it, libcni too.
func current(result types.Result) (r *types100.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("a result of version %s that is not whole: %v", result.Version(), p)
		}
	}()
	if r, err = types100.NewResultFromResult(result); err != nil {
		return nil, err
	}
	switch {
	case slices.Contains(r.Interfaces, nil):
		return nil, errors.New("an interface is null")
	case slices.ContainsFunc(r.IPs, func(ip *types100.IPConfig) bool { return ip == nil || ip.Address.IP == nil }):
		return nil, errors.New("one of the ips has no address")
	case slices.ContainsFunc(r.Routes, func(to *types.Route) bool { return to == nil || to.Dst.IP == nil }):
		return nil, errors.New("a route has no destination")
	}
	return r, nil
}

// result is that of ADD: what the plugins before have made, and the interface. That is in no kernel, so it
// has a socket and the name.
func (c *command) result(prev, leased *types100.Result, p Port, netns string) *types100.Result {
	r := types100.Result{}
	if prev != nil {
		r = *prev
	}
	r.CNIVersion = types100.ImplementedSpecVersion
	at := len(r.Interfaces)
	r.Interfaces = append(r.Interfaces, &types100.Interface{Name: c.IfName, Mac: p.MAC, Mtu: p.MTU, Sandbox: netns, SocketPath: c.Socket})
	for _, ip := range leased.IPs {
		ip := *ip
		ip.Interface = types100.Int(at)
		r.IPs = append(r.IPs, &ip)
	}
	r.Routes = append(r.Routes, leased.Routes...)
	if !leased.DNS.IsEmpty() {
		r.DNS = leased.DNS
	}
	return &r
}

// own is the part of a result that is of the interface with this name: other plugins of the list have
// theirs in it. Of several with the name ours has the socket, or, where results have no place for that, is the last.
func own(r *types100.Result, ifName string) *types100.Result {
	at := -1
	for i, has := range r.Interfaces {
		if has.Name == ifName && (at < 0 || r.Interfaces[at].SocketPath == "" || has.SocketPath != "") {
			at = i
		}
	}
	if at < 0 {
		return r
	}
	mine := *r
	mine.Interfaces = r.Interfaces[at : at+1]
	mine.IPs = nil
	for _, ip := range r.IPs {
		if ip.Interface != nil && *ip.Interface != at {
			continue
		}
		ip := *ip
		ip.Interface = types100.Int(0)
		mine.IPs = append(mine.IPs, &ip)
	}
	return &mine
}

// dns is what the container's resolver is to know: the runtime says it, or else the netconf, or else IPAM.
func dns(c *netconf.Conf, leased types.DNS) types.DNS {
	if said := c.RuntimeConfig.DNS; said != nil && len(said.Servers)+len(said.Searches)+len(said.Options) > 0 {
		return types.DNS{Nameservers: said.Servers, Search: said.Searches, Options: said.Options}
	}
	if !c.DNS.IsEmpty() {
		return c.DNS
	}
	return leased
}

func sameAddresses(told, prev *types100.Result) error {
	list := func(r *types100.Result) (out []string) {
		for _, ip := range r.IPs {
			out = append(out, ip.Address.String())
		}
		return out
	}
	if a, b := list(told), list(prev); !reflect.DeepEqual(a, b) {
		return fmt.Errorf("the container was told addresses %v, prevResult has %v", a, b)
	}
	return nil
}
