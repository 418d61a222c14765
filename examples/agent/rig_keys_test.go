// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func names(ports map[string]int) []string { return slices.Sorted(maps.Keys(ports)) }

// uuid numbers ports.
func uuid(n int) string { return fmt.Sprintf("%08x-38b1-4ac2-a1a1-3b6a6d0c0001", n) }

// port is a port's value, as the driver writes it.
func port(vlan int) string {
	return fmt.Sprintf(`{"mac_address":"fa:16:3e:00:10:01","mtu":1500,"physnet":"physnet1","network_type":"vlan",`+
		`"segmentation_id":%d,"binding_type":"vhostuser","security_groups":[],"allowed_address_pairs":[],`+
		`"fixed_ips":[],"port_security_enabled":false,"device_id":""}`, vlan)
}

// secured is the value of a port in some groups, with an address.
func secured(vlan int, ip string, groups ...string) string {
	list, err := json.Marshal(append([]string{}, groups...))
	if err != nil {
		panic(err)
	}
	return strings.NewReplacer(
		`"port_security_enabled":false`, `"port_security_enabled":true`,
		`"security_groups":[]`, `"security_groups":`+string(list),
		`"fixed_ips":[]`, fmt.Sprintf(`"fixed_ips":[{"subnet_id":"s","ip_address":%q}]`, ip),
	).Replace(port(vlan))
}

// gid numbers security groups.
func gid(n int) string { return fmt.Sprintf("%08x-5c00-4ac2-a1a1-3b6a6d0c0002", n) }

// ssh is a group's value: SSH from the members of a group, if one is named, and
// from this prefix.
func ssh(from string, remote ...string) string {
	rule := `{"is_ipv6":0,"remote_ip_addr":%s,"ip_prefix_len":%d,"remote_group_id":%s,"protocol":6,"port_min":22,"port_max":22}`
	rules := []string{fmt.Sprintf(rule, `"`+from+`"`, 24, "null")}
	for _, g := range remote {
		rules = append(rules, fmt.Sprintf(rule, "null", 0, `"`+g+`"`))
	}
	return `{"ingress_rules":[` + strings.Join(rules, ",") + `],"egress_rules":[]}`
}

// group writes a security group; "": none any more.
func (r *rig) group(n int, value string) { r.global("secgroups/"+gid(n), value) }

// member writes the addresses of a port in a group.
func (r *rig) member(n, port int, value string) {
	r.global("remote_group/"+gid(n)+"/"+uuid(port), value)
}

func (r *rig) global(key, value string) {
	r.Helper()
	r.set("/networking-vpp/global/"+key, value)
}

// set writes a key; "": there is none any more.
func (r *rig) set(key, value string) {
	r.Helper()
	var err error
	if value == "" {
		_, err = r.client.Delete(r.Context(), key)
	} else {
		_, err = r.client.Put(r.Context(), key, value)
	}
	require.NoError(r, err)
}

func (r *rig) put(host string, name, value string) {
	r.Helper()
	done, err := r.client.Put(r.Context(), "/networking-vpp/nodes/"+host+"/ports/"+name, value)
	require.NoError(r, err)
	r.noteWritten(host, done.Header.Revision)
}

func (r *rig) unplug(host string, name string) {
	r.Helper()
	done, err := r.client.Delete(r.Context(), "/networking-vpp/nodes/"+host+"/ports/"+name)
	require.NoError(r, err)
	r.noteWritten(host, done.Header.Revision)
}

func (r *rig) noteWritten(host string, revision int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wrote == nil {
		r.wrote = map[string]int64{}
	}
	r.wrote[host] = max(r.wrote[host], revision)
}

// said is what host's agent says under one subtree, by name; revs are the
// revisions at which it said so.
func (r *rig) said(host, tree string) (values map[string]string, revs map[string]int64) {
	r.Helper()
	prefix := "/networking-vpp/state/" + host + "/" + tree
	got, err := r.client.Get(context.Background(), prefix, clientv3.WithPrefix())
	require.NoError(r, err)
	values, revs = map[string]string{}, map[string]int64{}
	for _, kv := range got.Kvs {
		name := strings.TrimPrefix(string(kv.Key), prefix)
		values[name], revs[name] = string(kv.Value), kv.ModRevision
	}
	return values, revs
}

// bound waits until exactly these ports are said to be bound.
func (r *rig) bound(host string, want ...string) {
	r.Helper()
	var got map[string]string
	require.Eventually(r, func() bool {
		got, _ = r.said(host, "ports/")
		for _, name := range want {
			if got[name] == "" {
				return false
			}
		}
		return len(got) == len(want)
	}, time.Minute, 10*time.Millisecond, "%d ports shall be bound on %s", len(want), host)
}
