// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vpptest"
)

// lines are those of a file that say something.
func lines(t *testing.T, path string) (out []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// The example configuration is one that the agent takes, and so is what is commented out in it.
func TestExampleConfiguration(t *testing.T) {
	text, err := os.ReadFile("packaging/vppkit-agent.conf")
	require.NoError(t, err)
	all := filepath.Join(t.TempDir(), "conf")
	require.NoError(t, os.WriteFile(all, regexp.MustCompile(`(?m)^# ([a-z-]+ = )`).ReplaceAll(text, []byte("$1")), 0o600))
	for _, path := range []string{"packaging/vppkit-agent.conf", all} {
		f := runCommand().Flags()
		require.NoError(t, f.Parse([]string{"--config", path}))
		require.NoError(t, configure(f, nil))
		set := map[string]bool{}
		f.Visit(func(x *flag.Flag) { set[x.Name] = true })
		for _, name := range []string{"etcd", "etcd-cert", "vpp", "physnet", "vhost-user-dir", "socket", "page"} {
			require.True(t, set[name], name)
		}
		require.Equal(t, path == all, set["etcd-password-file"])
		require.Equal(t, defaultPage, f.Lookup("socket").Value.String(), "agent status finds it")
	}
}

// systemd takes the unit as it is, but for the program, which is not installed here.
func TestUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("NOT TESTED BY SYSTEMD: no systemd-analyze on PATH")
	}
	text, err := os.ReadFile("packaging/vppkit-agent.service")
	require.NoError(t, err)
	unit := filepath.Join(t.TempDir(), "vppkit-agent.service")
	require.NoError(t, os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/bin/vppkit-agent", "/bin/true")), 0o600))
	out, _ := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		require.NotContains(t, line, "vppkit-agent.service:", string(out)) // an unknown line, or a value that is none
	}
}

// The recipe of a container builds this program by a Go that can, runs it as an ordinary user with flags that it has, and
// copies only what it made.
func TestContainerfile(t *testing.T) {
	var froms, copies []string
	has := map[string]string{}
	for _, line := range lines(t, "packaging/Containerfile") {
		what, rest, _ := strings.Cut(line, " ")
		require.Contains(t, []string{"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD", "HEALTHCHECK"}, what)
		switch has[what] = rest; what {
		case "FROM":
			froms = append(froms, rest)
		case "COPY":
			copies = append(copies, rest)
		}
	}
	require.Len(t, froms, 2)
	require.Equal(t, "scratch", froms[1])
	mod, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	wants := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	require.Contains(t, froms[0], "golang:"+string(wants[1])+" ", "the Go that go.mod asks for")
	require.Contains(t, has["RUN"], "CGO_ENABLED=0", "or it would not run from scratch")
	require.Contains(t, has["RUN"], "./examples/agent")
	for _, c := range copies[1:] {
		require.True(t, strings.HasPrefix(c, "--from=build "), c)
	}
	require.Regexp(t, `^[1-9]\d*:[1-9]\d*$`, has["USER"], "not root")
	var entry, args, health []string
	require.NoError(t, json.Unmarshal([]byte(has["ENTRYPOINT"]), &entry))
	require.NoError(t, json.Unmarshal([]byte(has["CMD"]), &args))
	require.NoError(t, json.Unmarshal([]byte(has["HEALTHCHECK"][strings.Index(has["HEALTHCHECK"], "["):]), &health))
	require.Equal(t, entry[0], health[0])
	for _, name := range []string{args[0], health[1]} {
		require.True(t, slices.ContainsFunc(commands(), func(c *cobra.Command) bool { return c.Name() == name }), name)
	}
	require.NoError(t, runCommand().Flags().Parse(args[1:]))
}

// An agent serves each of the sample keys, and says nothing wrong of any.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("packaging/samples/*.json")
	require.NoError(t, err)
	require.Len(t, files, 8)
	readme, err := os.ReadFile("packaging/samples/README.md")
	require.NoError(t, err)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			require.Contains(t, string(readme), "| `"+filepath.Base(file)+"` |")
			r, v := newRig(t), vpptest.New(t, vpptest.WithInterface(nic), vpptest.WithInterface("eth2"), vpptest.WithInterface("eth3"))
			site := r.siteOf("compute-1", nic)
			site.Physnets["physnet2"], site.Physnets["underlay"] = "eth2", "eth3"
			site.Overlay = translate.GPE{Underlay: site.Underlay("underlay", netip.MustParsePrefix("192.0.2.1/24"))}
			path, page := paged(t)
			a := r.agent(site, v.Socket(), page)
			for _, args := range [][]string{
				{"put", "--journal", filepath.Join(t.TempDir(), "journal"), "--file", file, "--etcd", r.url},
				{"wait", "--etcd", r.url, "--timeout", "30s", "compute-1"},
			} {
				out, errs, code := said(t, args...)
				require.Zero(t, code, "%v: %s%s", args, out, errs)
			}
			wrong, _ := r.said("compute-1", "errors/")
			require.Empty(t, wrong)
			r.converged(a)
			out, errs, code := said(t, "status", "--socket", path)
			require.Zero(t, code, out+errs)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var keys map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(text, &keys))
			var state map[string]string
			require.Eventually(t, func() bool {
				state, _ = r.said("compute-1", "")
				for name, at := range r.below(translate.Taps + "compute-1/") {
					state[name] = at
				}
				for key := range keys {
					name, own := strings.CutPrefix(key, "nodes/compute-1/")
					if own && !strings.HasPrefix(name, "trunks/") && state[name] == "" {
						return false
					}
				}
				return true
			}, 20*time.Second, 20*time.Millisecond, "%v", &state)
		})
	}
}
