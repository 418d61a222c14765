// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's first command tells this story.
func TestDemo(t *testing.T) {
	out := new(lockedBuffer)
	require.Zero(t, command(t.Context(), []string{"demo"}, out, os.Stderr), out.String())
	story := out.String()
	for _, next := range []string{
		"# Five ports", "put /networking-vpp/nodes/compute-1/ports/7d0c24f1-5a3e-4c6b-9b51-000000000005\n",
		"# The plan", "+  acl             acl/sg:9e4b77c0-52d1-4b39-8f10-000000000080.to\n", "+  bridge-domain   bridge-domain/physnet1.vlan.142\n",
		"+  acl-binding     acl-binding/secured-7d0c24f1-5a3e-4c6b-9b51-000000000005\n",
		"+  link            link/secured-7d0c24f1-5a3e-4c6b-9b51-000000000005\n", "28 to create\n",
		"# The agent starts", "converged: 5 ports",
		"# What VPP holds", "secured-7d0c24f1-5a3e-4c6b-9b51-000000000005  vhost-port     up    physnet1.vlan.142\n",
		"# Port 1 moves", "~ bridge-port/port-7d0c24f1-5a3e-4c6b-9b51-000000000001\n", "converged: 5 ports",
		"# Port 2 is unplugged", "- interface/port-7d0c24f1-5a3e-4c6b-9b51-000000000002\n", "converged: 4 ports",
		"# VPP is killed", "0 ports",
		"# VPP starts again", "+ bridge-domain/physnet1.vlan.200\n", "converged: 4 ports",
		"# What VPP holds", "port-7d0c24f1-5a3e-4c6b-9b51-000000000001     vhost-port     up    physnet1.vlan.200\n",
	} {
		_, after, ok := strings.Cut(story, next)
		require.True(t, ok, "%q is missing, or comes too early, in:\n%s", next, out)
		story = after
	}
	require.NotContains(t, out.String(), "\n! ", "nothing fails")
	require.Len(t, regexp.MustCompile(`(?m)^converged`).FindAllString(out.String(), -1), 4)
	require.Len(t, regexp.MustCompile(`(?m)^[+±~-] .*000003$`).FindAllString(out.String(), -1), 9,
		"port 3 is planned, made, and made again on the new VPP; nothing else happens to it")
}
