// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// wants are the objects of each interface that was handed over. One that cannot be made keeps no
// other from it.
func (p pod) wants() (wants map[string][]desiredstate.Object, errs []error) {
	wants = map[string][]desiredstate.Object{}
	all, errs := p.handedOver()
	for source, h := range all {
		want, err := p.objects(h)
		if err != nil {
			errs = append(errs, fmt.Errorf("interface %s: %w", h.IfName, err))
			continue
		}
		wants[source] = want
	}
	return wants, errs
}

// handedOver reads the files beside the sockets, and the list in the pod's annotation.
func (p pod) handedOver() (all map[string]netconf.HandOver, errs []error) {
	all = map[string]netconf.HandOver{}
	files, err := filepath.Glob(filepath.Join(p.dir, netconf.HandOverFile("*", "*")))
	if err != nil {
		return nil, []error{err}
	}
	for _, file := range files {
		var h netconf.HandOver
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &h)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		all[h.IfName] = h
	}
	if p.annotations == "" {
		return all, errs
	}
	list, err := annotated(p.annotations)
	if err != nil {
		return all, append(errs, err)
	}
	for _, h := range list {
		all[h.IfName] = h
	}
	return all, errs
}

// annotated reads the annotation from a file of the Downward API, which has a line for each: its
// name, and the value in quotes as Go has them.
func annotated(file string) (list []netconf.HandOver, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		quoted, ok := strings.CutPrefix(strings.TrimSpace(line), netconf.AnnotationData+"=")
		if !ok {
			continue
		}
		value, err := strconv.Unquote(quoted)
		if err == nil {
			err = json.Unmarshal([]byte(value), &list)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: annotation %s: %w", file, netconf.AnnotationData, err)
		}
	}
	return list, nil
}

// objects are the container's end of one interface.
func (p pod) objects(h netconf.HandOver) ([]desiredstate.Object, error) {
	end, name := h.Config, h.IfName
	if err := netconf.CheckSocketFile(end.SocketFile()); err != nil || end.SocketFile() == "" {
		return nil, errors.Join(errors.New("no socket that could be in the shared directory"), err)
	}
	socket := filepath.Join(p.dir, end.SocketFile())
	if end.IfType != netconf.Memif {
		return nil, fmt.Errorf("VPP has only the host's end of vhost-user: start it with DPDK's virtio_user, "+
			`dpdk { vdev virtio_user0,path=%s,server=%d }`, socket, map[string]int{netconf.Server: 1}[end.Vhost.Mode])
	}
	ip := end.Memif.Mode == netconf.IP
	out := []desiredstate.Object{
		vppnet.MemifSocket{Path: socket},
		vppnet.Memif{Name: name, Socket: socket, Slave: !end.Memif.Listens(), IP: ip, MAC: mac(h, ip)},
		vppnet.LinkState{Interface: name, Up: true},
	}
	via := func(hop netip.Addr) []l3.Path {
		if ip {
			return []l3.Path{{Interface: name}} // there is nobody else on that wire
		}
		return []l3.Path{{NextHop: hop, Interface: name}}
	}
	var gateways []netip.Addr
	for _, a := range h.IPResult.IPs {
		addr, ok := netip.AddrFromSlice(a.Address.IP)
		bits, _ := a.Address.Mask.Size()
		if !ok {
			return nil, fmt.Errorf("%s is no address", a.Address.String())
		}
		prefix := netip.PrefixFrom(addr.Unmap(), bits)
		out = append(out, l3.Address{Interface: name, Prefix: prefix})
		gw, ok := netip.AddrFromSlice(a.Gateway)
		if !ok {
			continue
		}
		gateways = append(gateways, gw.Unmap())
		if prefix.IsSingleIP() { // the gateway is on the link all the same
			out = append(out, l3.Route{Prefix: netip.PrefixFrom(gw, gw.BitLen()), Paths: via(gw)})
		}
	}
	for _, r := range h.IPResult.Routes {
		dst, ok := netip.AddrFromSlice(r.Dst.IP)
		bits, _ := r.Dst.Mask.Size()
		if !ok {
			return nil, fmt.Errorf("%s is no prefix", r.Dst.String())
		}
		prefix := netip.PrefixFrom(dst.Unmap(), bits).Masked()
		hops := gateways
		if gw, ok := netip.AddrFromSlice(r.GW); ok {
			hops = []netip.Addr{gw.Unmap()}
		}
		for _, hop := range hops {
			if hop.Is4() != prefix.Addr().Is4() {
				continue
			}
			out = append(out, l3.Route{Prefix: prefix, Paths: via(hop)})
			break
		}
	}
	return out, nil
}

// mac is that of one interface of one container: a MAC that is made of the interface's name, as VPP
// is given by default, all containers would have.
func mac(h netconf.HandOver, ip bool) (m vppnet.MAC) {
	if ip {
		return m
	}
	sum := sha256.Sum256([]byte(h.ContainerID + "/" + h.IfName))
	copy(m[:], sum[:])
	m[0] = m[0]&^1 | 2 // of one host, and locally administered
	return m
}

// everyRoute claims what is wanted; what is not is never removed but by name.
func everyRoute(string, netip.Prefix) bool { return true }
