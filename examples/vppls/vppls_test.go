// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/linuxcp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var update = flag.Bool("update", false, "write what is listed to testdata")

// lists runs a command line.
func lists(t *testing.T, vpp interface{ Socket() string }, args ...string) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	c := command(&o, &e)
	c.SetArgs(append([]string{"--vpp", vpp.Socket()}, args...))
	require.NoError(t, c.ExecuteContext(t.Context()))
	return o.String(), e.String()
}

func TestGoldens(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface("GigabitEthernet0/8/0"))
	populate(t, vpp.Socket(), "/run/vms", true)
	before := vpp.Writes()
	for name, args := range map[string][]string{
		"table.txt":   nil,
		"tree.txt":    {"-o", "tree"},
		"acl.json":    {"-o", "json", "--kind", "acl,acl-binding"},
		"foreign.txt": {"--owner", "node1", "--foreign", "--kind", "interface,loopback,bridge-domain"},
	} {
		out, errs := lists(t, vpp, args...)
		require.Empty(t, errs)
		path := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(out), 0o644))
		}
		golden, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(golden), out, name)
	}
	require.Equal(t, before, vpp.Writes(), "who looks changes nothing")
}

// What an owner wanted is listed as his, under its name, as it was wanted; and every kind of the
// library has something in the list, but for those that VPP cannot be asked for.
func listed(t *testing.T, vpp interface{ Socket() string }, dir string, memory bool, unseen []string, more ...desiredstate.Object) {
	populate(t, vpp.Socket(), dir, memory, more...)
	out, errs := lists(t, vpp, "-o", "json")
	for line := range strings.Lines(errs) { // of a kind that this release is not asked for
		require.True(t, slices.ContainsFunc(unseen, func(k string) bool {
			return strings.HasPrefix(line, "vppls: incompatible VPP for "+k+":")
		}), line)
	}
	var all []struct{ Owner, Kind, Space, Name string }
	require.NoError(t, json.Unmarshal([]byte(out), &all))
	have, of := map[string]string{}, map[string]bool{}
	for _, x := range all {
		if _, twice := have[x.Owner+" "+x.Space+"/"+x.Name]; twice {
			t.Errorf("%v is listed twice", x)
		}
		have[x.Owner+" "+x.Space+"/"+x.Name] = x.Kind
		of[x.Kind] = true
	}
	for owner, objects := range wants(dir, memory) {
		for _, o := range objects {
			if have[owner+" "+o.Key().String()] == "" && have[nobody+" "+o.Key().String()] == "" {
				t.Errorf("%s has %v, and it is not listed", owner, o.Key())
			}
		}
	}
	for _, k := range kindNames() {
		require.Equal(t, !slices.Contains(unseen, k), of[k], k)
	}
}

func TestAllKinds(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithHostDevice("eth9"))
	listed(t, vpp, "/run/vms", true, []string{"macip-acl", "macip-binding", "rx-queue", "promiscuous", "lldp", "lldp-settings", "linux-cp-namespace"}, vppnet.HostInterface{Name: "host", Device: "eth9"}, vppnet.TAP{Name: "tap"}, linuxcp.Pair{Interface: "host", Device: "twin"})
}

func TestAllKindsReal(t *testing.T) {
	vpp := vpptest.Real(t)
	listed(t, vpp, vpp.Dir(), false, []string{"host-interface", "tap", "linux-cp", "rx-queue", "promiscuous", "lldp", "lldp-settings", "linux-cp-namespace"}) // which need devices of Linux
}

func TestUsage(t *testing.T) {
	vpp := vpptest.New(t)
	for want, args := range map[string][]string{
		`no output "yaml": want table, tree or json`:      {"-o", "yaml"},
		"foreign to whom? Say --owner":                    {"--foreign"},
		`no kind "acls": want some of acl, acl-binding, `: {"--kind", "acls"},
		`unknown command "x" for "vppls"`:                 {"x"},
	} {
		c := command(new(bytes.Buffer), new(bytes.Buffer))
		c.SetArgs(append([]string{"--vpp", vpp.Socket()}, args...))
		require.ErrorContains(t, c.ExecuteContext(t.Context()), want)
	}
}

// A VPP that lacks a plugin is listed all the same, and it is said what cannot be told.
func TestWithoutPlugin(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithoutPlugin("vrrp"), vpptest.WithoutPlugin("acl"))
	out, errs := lists(t, vpp)
	require.Contains(t, out, "vpp:local0")
	require.Regexp(t, regexp.MustCompile(`(?m)^vppls: incompatible VPP for acl: .* of plugin acl; is that loaded\?$`), errs)
	require.Equal(t, strings.Count(errs, "\n"), 8)
}
