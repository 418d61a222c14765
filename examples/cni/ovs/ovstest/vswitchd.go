// SPDX-License-Identifier: Apache-2.0

package ovstest

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// vswitchd does in the database what ovs-vswitchd does, as far as it was seen to: it says
// that bridges and interfaces work, or why not, and up to where it has read. It listens on the
// sockets of dpdkvhostuser ports, where what an earlier one left is in its way, and moves no
// packets.
type vswitchd struct {
	db      client.Client
	dir     string // of the sockets
	wake    chan struct{}
	sockets map[string]*net.UnixListener
	ports   int
	types   []string // of interfaces
}

// What the one with DPDK can make, and what it can make only when that is on. It finds no devices of Linux.
var (
	datapathTypes  = []string{"netdev", "system"}
	interfaceTypes = []string{"geneve", "internal", "patch", "system", "tap", "vxlan"}
	dpdkTypes      = []string{"dpdk", "dpdkvhostuser", "dpdkvhostuserclient"}
)

func newVswitchd(ctx context.Context, db client.Client, dir string) (*vswitchd, error) {
	v := &vswitchd{db: db, dir: dir, wake: make(chan struct{}, 1), sockets: map[string]*net.UnixListener{}}
	look := func() {
		select {
		case v.wake <- struct{}{}:
		default:
		}
	}
	db.Cache().AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(string, model.Model) { look() },
		UpdateFunc: func(string, model.Model, model.Model) { look() },
		DeleteFunc: func(string, model.Model) { look() },
	})
	_, err := db.MonitorAll(ctx)
	return v, err
}

func (v *vswitchd) run(ctx context.Context) {
	defer func() {
		for _, l := range v.sockets { // who is killed leaves them
			l.SetUnlinkOnClose(false)
			l.Close()
		}
	}()
	for {
		if err := v.reconfigure(ctx); err != nil && ctx.Err() == nil {
			return // the database has gone
		}
		select {
		case <-v.wake:
		case <-ctx.Done():
			return
		}
	}
}

// reconfigure takes up what is in the database.
func (v *vswitchd) reconfigure(ctx context.Context) error {
	var roots []openvswitch
	var bridges []bridge
	var interfaces []iface
	for _, list := range []any{&roots, &bridges, &interfaces} {
		if err := v.db.List(ctx, list); err != nil {
			return err
		}
	}
	if len(roots) != 1 {
		return nil
	}
	root, there := roots[0], map[string]bool{}
	v.types = interfaceTypes
	if root.OtherConfig["dpdk-init"] == "true" {
		v.types = slices.Concat(dpdkTypes, interfaceTypes)
	}
	var ops []ovsdb.Operation
	put := func(table, uuid string, row ovsdb.Row) {
		ops = append(ops, ovsdb.Operation{
			Op: "update", Table: table, Row: row,
			Where: []ovsdb.Condition{ovsdb.NewCondition("_uuid", ovsdb.ConditionEqual, ovsdb.UUID{GoUUID: uuid})},
		})
	}
	for _, b := range bridges {
		if b.DatapathID == nil {
			put("Bridge", b.UUID, ovsdb.Row{"datapath_id": "0000" + b.UUID[:8] + b.UUID[24:28]})
		}
	}
	for _, i := range interfaces {
		there[i.Name] = true
		switch why := v.open(i); {
		case why != "" && (i.Error == nil || *i.Error != why):
			put("Interface", i.UUID, ovsdb.Row{"ofport": -1, "error": why})
		case why == "" && (i.OFPort == nil || *i.OFPort < 0 || i.Error != nil):
			v.ports++
			put("Interface", i.UUID, ovsdb.Row{"ofport": v.ports, "error": ovsdb.OvsSet{}})
		}
	}
	for name, l := range v.sockets {
		if !there[name] {
			l.Close()
			delete(v.sockets, name)
		}
	}
	if root.CurCfg != root.NextCfg || len(root.IfaceTypes) == 0 {
		put("Open_vSwitch", root.UUID, ovsdb.Row{"cur_cfg": root.NextCfg, "datapath_types": setOf(datapathTypes), "iface_types": setOf(v.types)})
	}
	if len(ops) == 0 {
		return nil
	}
	_, err := v.db.Transact(ctx, ops...)
	return err
}

// open says why an interface cannot be.
func (v *vswitchd) open(i iface) string {
	switch {
	case i.Type == "" || i.Type == "system":
		return fmt.Sprintf("could not open network device %s (No such device)", i.Name)
	case !slices.Contains(v.types, i.Type):
		return fmt.Sprintf("could not open network device %s (Address family not supported by protocol)", i.Name)
	case i.Type == "dpdkvhostuser" && v.sockets[i.Name] == nil:
		l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: filepath.Join(v.dir, i.Name)})
		if err != nil { // such as that there is one
			return fmt.Sprintf("could not open network device %s (Unknown error -1)", i.Name)
		}
		v.sockets[i.Name] = l
	}
	return ""
}

func setOf(all []string) (s ovsdb.OvsSet) {
	for _, x := range all {
		s.GoSet = append(s.GoSet, x)
	}
	return s
}
