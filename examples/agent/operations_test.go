// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	flag "github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vpptest"
)

const operations = "OPERATIONS.md"

// tableOf are the rows of a table of the operations' document, below a heading.
func tableOf(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(operations)
	require.NoError(t, err)
	_, below, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	require.True(t, ok, heading)
	below, _, _ = strings.Cut(below, "\n## ")
	for line := range strings.Lines(below) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| --- ") {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " |")
			for i := range cells {
				cells[i] = strings.TrimSpace(strings.TrimPrefix(cells[i], "|"))
			}
			rows = append(rows, cells)
		}
	}
	require.NotEmpty(t, rows)
	return rows[1:]
}

// The table of flags is what run takes; -update writes it.
func TestFlagsAreDocumented(t *testing.T) {
	var b strings.Builder
	b.WriteString("| flag | environment | value | default | what |\n| --- | --- | --- | --- | --- |\n")
	runCommand().Flags().VisitAll(func(f *flag.Flag) {
		if f.Name == "help" {
			return
		}
		name, usage := flag.UnquoteUsage(f)
		standard := f.DefValue
		switch {
		case f.Name == "host":
			standard = "the host's name"
		case f.Name == "socket":
			standard = "`/run/vppkit-agent/agent.sock`; of an ordinary user, if that directory is not there, below `XDG_RUNTIME_DIR`"
		case f.Value.Type() == "func":
			name, standard = name+"...", ""
		case standard != "" && standard != "false":
			standard = "`" + standard + "`"
		}
		env := envPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", f.Name, env, name, standard, strings.ReplaceAll(usage, "|", `\|`))
	})
	text, err := os.ReadFile(operations)
	require.NoError(t, err)
	const from, to = "-update -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(string(text), from)
	require.True(t, ok)
	have, after, ok := strings.Cut(rest, to)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(operations, []byte(before+from+b.String()+to+after), 0o644))
		return
	}
	require.Equal(t, b.String(), have, "write it anew: -update")
}

// The table of metrics is what an agent serves, by name, labels and type, after all that can happen did.
func TestMetricsAreDocumented(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.takeVLAN(v.Socket(), 1, 556)
	a := r.agent(site, v.Socket(), func(a *agent) { a.dial = nil }) // the rig's own would hide messages
	for name, value := range tenants() {
		r.routing("h1", name, value)
	}
	r.put("h1", uuid(0), port(100))
	r.bound("h1", uuid(0))
	r.converged(a)
	v.Inject(vpptest.Fault{Message: "bridge_domain_add_del_v2", Kind: vpptest.Refuse, Retval: -1, Times: 1 << 20})
	r.put("h1", uuid(1), port(555))
	r.put("h1", uuid(2), port(556)) // which somebody else has
	r.setDown(v.Socket(), "port-"+uuid(0))
	var want, have []string
	for _, row := range tableOf(t, "Metrics") {
		want = append(want, strings.Trim(row[0], "`")+" "+row[1]+" "+row[2])
	}
	require.True(t, slices.IsSorted(want))
	require.Eventually(t, func() bool {
		have = nil
		all, err := a.insight.registry.Gather()
		require.NoError(t, err)
		for _, family := range all {
			if !strings.HasPrefix(family.GetName(), "vppkit_") {
				continue
			}
			var labels []string
			for _, l := range family.GetMetric()[0].GetLabel() {
				labels = append(labels, l.GetName())
			}
			slices.Sort(labels)
			have = append(have, family.GetName()+" "+strings.Join(labels, ", ")+" "+strings.ToLower(family.GetType().String()))
		}
		return slices.Equal(want, have)
	}, 20*time.Second, 50*time.Millisecond, "want %q, have %q", want, (*latestLines)(&have))
	gauge := func(name string, want func(float64) bool) {
		t.Helper()
		var got float64
		require.Eventually(t, func() bool { got = value(t, a, name); return want(got) }, 20*time.Second, 50*time.Millisecond, "%s: %v", name, &got)
	}
	gauge("vppkit_agent_ports_bound", func(x float64) bool { return x == 1 })
	gauge("vppkit_agent_lag_seconds", func(x float64) bool { return x > 1 && x < 60 })
	gauge("vppkit_converged", func(x float64) bool { return x == 0 })
	v.Heal()
	r.unplug("h1", uuid(2))
	gauge("vppkit_agent_ports_bound", func(x float64) bool { return x == 2 })
	gauge("vppkit_agent_lag_seconds", func(x float64) bool { return x == 0 })
	gauge("vppkit_agent_quarantined_objects", func(x float64) bool { return x == 0 })
	gauge("vppkit_agent_etcd_up", func(x float64) bool { return x == 1 })
	done, err := r.client.Put(t.Context(), site.Ports()+uuid(2), port(102))
	require.NoError(t, err)
	at := float64(done.Header.Revision)
	gauge("vppkit_agent_etcd_revision", func(x float64) bool { return x >= at })
	gauge("vppkit_agent_converged_revision", func(x float64) bool { return x >= at })
	v.Kill()
	gauge("vppkit_agent_ports_bound", func(x float64) bool { return x == 0 })
	gauge("vppkit_vpp_connected", func(x float64) bool { return x == 0 })
	gauge("vppkit_agent_lag_seconds", func(x float64) bool { return x > 0 })
}

// value is that of a metric without labels.
func value(t *testing.T, a *running, name string) float64 {
	t.Helper()
	all, err := a.insight.registry.Gather()
	require.NoError(t, err)
	i := slices.IndexFunc(all, func(f *dto.MetricFamily) bool { return f.GetName() == name })
	require.GreaterOrEqual(t, i, 0, name)
	return all[i].GetMetric()[0].GetGauge().GetValue()
}

type latestLines []string

func (l *latestLines) String() string { return strings.Join(*l, "\n") }

// Each command of the runbook works as it stands there, against an agent that serves a host, and one of whose ports is
// wrong; those that say what is wrong end with 3.
func TestRunbook(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { runbook(newRig(t), memory(t), nic, "agent trace UUID --time 1s") })
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), newRig(t)
		r.loopback(v.Socket())
		runbook(r, v, "loop0")
	})
}

// runbook runs all but what this VPP cannot do.
func runbook(r *rig, v target, nic string, but ...string) {
	t := r.T
	site := r.siteOf("h1", nic)
	path, page := paged(t)
	r.put("h1", uuid(0), port(100))
	a := r.agent(site, v.Socket(), page)
	r.bound("h1", uuid(0))
	r.converged(a)
	for name, value := range map[string]string{
		"ETCD": r.url, "SOCKET": path, "VPP": v.Socket(), "HOST": "h1", "PHYSNET": "physnet1=" + nic, "VHOST_USER_DIR": site.Dir,
	} {
		t.Setenv(envPrefix+name, value)
	}
	commands := regexp.MustCompile("`(agent [^`]*)`")
	ran := map[string]int{}
	run := func(line string) {
		t.Helper()
		fields := strings.Fields(strings.NewReplacer("UUID", uuid(0), "HOST", "h1", "FILE", filepath.Join(t.TempDir(), "report.tar.gz")).Replace(line))
		out, errs, code := said(t, fields[1:]...)
		ran[line] = code
		require.Zero(t, code, "%s: %s%s", line, out, errs)
	}
	for _, row := range tableOf(t, "Runbook") {
		require.Len(t, row, 3, row)
		require.Regexp(t, "^"+commands.String()+"$", row[1])
		for _, found := range commands.FindAllStringSubmatch(row[1]+row[2], -1) {
			line := found[1]
			elsewhere := append(but, "agent run", "agent confirm TOKEN", "agent roles HOST --apply")
			if !slices.Contains(elsewhere, line) {
				run(line)
			}
		}
	}
	require.Greater(t, len(ran), 10)

	r.put("h1", uuid(1), "junk")
	r.problem(1, "not a JSON object")
	for _, args := range [][]string{{"status"}, {"plan"}, {"wait", "h1", uuid(1)}} {
		_, errs, code := said(t, args...)
		require.Equal(t, exitWrong, code, "%v: %s", args, errs)
	}
	r.outOfBridge(v.Socket(), "port-"+uuid(0))
	_, _, code := said(t, "drift")
	require.Equal(t, exitWrong, code)
	_, errs, code := said(t, "roles", "h1", "--apply")
	require.Equal(t, exitWrong, code, errs)
	require.Contains(t, errs, "auth")
}
