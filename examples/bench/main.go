// SPDX-License-Identifier: Apache-2.0

// Bench has several systems do the same jobs on VPP in one run, and says what each
// costs. A job is about ports of VMs: vhost-user interfaces, up, and in the bridge
// domains of VLAN networks, ten ports each, and behind filters: the sets of a security
// group of ten rules, which the ports of a network share, and a MACIP set of its own
// for each. The systems are
//
//	floor        a client by hand that sends the messages blindly and pipelined
//	sequential   the same messages, each after the answer to the one before
//	engine       vppkit's engine
//	agent        examples/agent, a process that follows an etcd
//
// and every time is also given as a multiple of the floor's, which can be compared
// between machines. For a job that finds nothing to do the floor is the bare dumps.
//
//	go run ./examples/bench --ports 1000,10000
//	go run ./examples/bench --workload routes --objects 120000
//
// Other workloads than ports are objects of one message each: the routes of a full table,
// static entries of an L2 FIB, sessions of a classify table, whose kind is this program's own,
// policy routes, and MACs that are at other hosts by GPE. The floor and the engine do them.
//
// Each system has a fresh VPP: the one that is installed, with no NIC and no
// workers, and vpptest's in-memory one, which takes next to no time itself, and so
// shows what vppkit takes. The agent does everything twice: what counts its messages
// would cost it time.
//
// Ports are servers. As clients whose VMs are not there, VPP tries to connect all of
// them each time that one is made, and nothing else would be measured.
//
// What is run with --count 10 --benchstat can be given to benchstat, as in
// "benchstat -col /system FILE".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vppkit/vppkit/vpptest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// errUsage: what is wrong was said along with the flags.
var errUsage = errors.New("wrong usage")

// bench is what the flags ask for.
type bench struct {
	workload  string
	ports     []int
	jobs      []string
	systems   []string
	sim       bool
	vpp       string
	count     int
	repeat    int
	json      bool
	benchstat bool
	plot      string
	before    string
	profile   string
	agent     string
	settle    time.Duration
	server    bool
	acl       bool

	out, errs io.Writer
	results   results
}

func command(ctx context.Context, args []string, out, errs io.Writer) error {
	b := &bench{
		out: out, errs: errs, workload: portsWorkload, ports: []int{1000}, jobs: everyJob, systems: allSystems,
		settle: settling, server: true, acl: true,
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&b.workload, "workload", portsWorkload, "`what` there are many of: "+strings.Join(workloadNames(), ", ")+
		"; what is not ports is done by floor and engine")
	f.Func("objects", "`N[,N]` of them (default 1000); of ports 20 to 40940", func(v string) (err error) {
		b.ports, err = sizes(v)
		return err
	})
	f.Func("ports", "the same as --objects", func(v string) (err error) {
		b.ports, err = sizes(v)
		return err
	})
	f.Func("jobs", "`JOB[,JOB]` of "+strings.Join(everyJob, ", ")+" (default all that the workload has)", func(v string) (err error) {
		b.jobs, err = choose(v, everyJob)
		return err
	})
	f.Func("systems", "`SYSTEM[,SYSTEM]` of "+strings.Join(allSystems, ", ")+" (default all); the floor is always one", func(v string) (err error) {
		b.systems, err = choose(v+","+floorSystem, allSystems)
		return err
	})
	f.Func("vhost-user-mode", "`mode` of the ports, server or client (default server)", func(v string) error {
		if b.server = v == mode(true); !b.server && v != mode(false) {
			return errors.New("want server or client")
		}
		return nil
	})
	f.BoolVar(&b.acl, "acl", true, "each port is behind the filters of a security group")
	f.StringVar(&b.vpp, "vpp", "", "`socket` of a VPP that runs; it is left as it was, but it is not fresh, and is not restarted")
	f.BoolVar(&b.sim, "sim", false, "the in-memory VPP only")
	f.IntVar(&b.count, "count", 1, "how `often` to run all; the table shows medians")
	f.IntVar(&b.repeat, "repeat", 21, "how `often` a run does what changes one port, of which it takes the median")
	f.BoolVar(&b.json, "json", false, "print a line of JSON for each measurement")
	f.BoolVar(&b.benchstat, "benchstat", false, "print lines for benchstat")
	f.StringVar(&b.plot, "plot", "", "`file` for a plot of time against ports, .svg or .png")
	f.StringVar(&b.before, "before", "", "`file` of what an earlier build printed with --json: the plot shows its engine too")
	f.StringVar(&b.profile, "cpuprofile", "", "`file` for a CPU profile of this process, in which \"go tool pprof -tagfocus sim/1000/engine/cold\" finds a job")
	f.StringVar(&b.agent, "agent", "", "`program` to run as the agent; without it, examples/agent is built")
	err := f.Parse(args)
	if err == nil {
		if err = b.check(f.Args()); err != nil {
			fmt.Fprintln(errs, "bench:", err)
		}
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return errUsage
	}
	return b.run(ctx)
}

func (b *bench) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("what is %q?", rest[0])
	case !slices.Contains(workloadNames(), b.workload):
		return fmt.Errorf("--workload %q: want one of %s", b.workload, strings.Join(workloadNames(), ", "))
	case b.sim && b.vpp != "":
		return errors.New("--sim and --vpp: want one of them")
	case b.json && b.benchstat:
		return errors.New("--json and --benchstat: want one of them")
	case b.count < 1 || b.repeat < 1:
		return errors.New("--count and --repeat: want at least 1")
	case b.before != "" && b.plot == "":
		return errors.New("--before is for --plot")
	}
	least, most := minPorts, maxPorts
	if w := workloadOf(b.workload); w != nil {
		least, most = 20, w.most
		b.systems = slices.DeleteFunc(slices.Clone(b.systems), func(s string) bool { return s != floorSystem && s != engineSystem })
	}
	for _, n := range b.ports {
		if n < least || n > most {
			return fmt.Errorf("--objects %d: want %d to %d %s", n, least, most, b.workload)
		}
	}
	return checkPlot(b.plot)
}

func sizes(list string) (out []int, err error) {
	for part := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q: want numbers", part)
		}
		out = append(out, n)
	}
	return out, nil
}

// choose returns those that are listed, in the order of from.
func choose(list string, from []string) (out []string, err error) {
	parts := strings.Split(list, ",")
	for _, p := range parts {
		if !slices.Contains(from, p) {
			return nil, fmt.Errorf("%q: want some of %s", p, strings.Join(from, ", "))
		}
	}
	for _, f := range from {
		if slices.Contains(parts, f) {
			out = append(out, f)
		}
	}
	return out, nil
}

// sources are the VPPs to run on.
func (b *bench) sources() []source {
	switch {
	case b.vpp != "":
		fmt.Fprintln(b.errs, "bench: a VPP that runs is warm: what it had once, it has room for, which flatters all but the first system")
		return []source{given(b.vpp, b.acl)}
	case b.sim:
		return []source{simulated}
	}
	return []source{installed, simulated}
}

func (b *bench) run(ctx context.Context) error {
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return err
		}
		defer func() { pprof.StopCPUProfile(); _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	if b.agent == "" && slices.Contains(b.systems, agentSystem) {
		dir, err := os.MkdirTemp("", "bench")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if b.agent, err = buildAgent(ctx, dir); err != nil {
			return err
		}
	}
	old, err := earlier(b.before, b.workload)
	if err != nil {
		return err
	}
	err = b.all(ctx)
	sum := b.results.sum() // even if not all could be measured
	if !b.json && !b.benchstat {
		err = errors.Join(err, sum.tables(b.out))
		sum.goals(b.out)
	}
	if err == nil && b.plot != "" {
		err = append(sum, old.sum()...).plot(b.plot)
	}
	return err
}

func (b *bench) all(ctx context.Context) error {
	for range b.count {
		for _, ports := range b.ports {
			for _, start := range b.sources() {
				err := b.compare(ctx, start, ports)
				if errors.Is(err, vpptest.ErrNotInstalled) {
					fmt.Fprintln(b.errs, "bench: NO REAL VPP IS INSTALLED: the in-memory one only")
					continue
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// compare has all systems do all jobs at one size on one kind of VPP.
func (b *bench) compare(ctx context.Context, start source, ports int) error {
	for _, name := range b.systems {
		all, failed := b.measure(ctx, start, name, ports)
		for _, r := range all {
			if err := b.add(r); err != nil {
				return err
			}
		}
		if failed != nil {
			return failed
		}
	}
	return nil
}

// add keeps a result, and prints it if it is to be printed one by one.
func (b *bench) add(r result) error {
	r.Ratio = 1
	if f, ok := b.results.newest(r.VPP, r.Job, floorSystem, r.Ports); ok && r.System != floorSystem {
		r.Ratio = r.Seconds / f.Seconds
		if r.CPU > 0 && f.CPU > 0 {
			r.CPURatio = r.CPU / f.CPU
		}
	} else if r.CPU > 0 {
		r.CPURatio = 1
	}
	b.results = append(b.results, r)
	switch {
	case b.json:
		return r.json(b.out)
	case b.benchstat:
		return r.benchstat(b.out)
	}
	return nil
}

func (b *bench) wants(job string) bool { return slices.Contains(b.jobs, job) }
