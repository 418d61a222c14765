// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	flag "github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// The example configuration is one that the agent takes.
func TestExampleConfiguration(t *testing.T) {
	c := runCommand()
	f := c.Flags()
	require.NoError(t, f.Parse([]string{"--config", "packaging/vppkit-agent.conf"}))
	require.NoError(t, configure(f, nil))
	set := map[string]bool{}
	f.Visit(func(x *flag.Flag) { set[x.Name] = true })
	for _, name := range []string{"etcd", "vpp", "physnet", "vhost-user-dir", "socket", "page"} {
		require.True(t, set[name], name)
	}
}
