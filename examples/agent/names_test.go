// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Neutron writes UUIDs in lower case, and finds groups by exact text; so here, what is written otherwise is another's.
func TestUUIDsInUpperCase(t *testing.T) {
	r, v := newRig(t), memory(t)
	r.agent(r.siteOf("h1", nic), v.Socket())
	lower, upper := uuid(0xabcdef), strings.ToUpper(uuid(0xabcdef))
	require.NotEqual(t, lower, upper)
	r.put("h1", upper, port(100))
	r.bound("h1", upper)
	r.put("h1", lower, port(101))
	r.bound("h1", lower, upper)
	r.group(0xabc, ssh("192.0.2.0"))
	r.put("h1", uuid(1), secured(100, "10.0.0.1", strings.ToUpper(gid(0xabc))))
	r.problem(1, "security group "+strings.ToUpper(gid(0xabc))+": there is no such key")
	r.put("h1", uuid(1), secured(100, "10.0.0.1", gid(0xabc)))
	r.unplug("h1", upper)
	r.bound("h1", lower, uuid(1))
}
