// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bufio"
	"errors"
	flags "flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
)

// The differential fuzzer: random requests, valid and not, over all messages of all
// kinds, to a real VPP and the one in memory in lockstep. make diff runs it.
var (
	diffReplies = flags.Int("replies", 0, "compare this many replies of a real VPP with the in-memory one's")
	diffSeed    = flags.Uint64("seed", 1, "of the first sequence; the next ones count on")
	diffFor     = flags.Duration("for", 10*time.Minute, "end the comparison after this time")
	diffOut     = flags.String("findings", "", "directory for recordings of what is unexplained, but of what is there already; default: one that is named")
	diffDeaths  = flags.Bool("deaths", false, "go on after differences, and look only for what kills the real VPP")
	diffTrials  = flags.Int("trials", 60, "how many VPPs to start to make one finding smaller")
)

// kindMessages are the requests that the library's kinds send, of which binapi keeps a
// list, and all others that are built in.
func kindMessages(t testing.TB) (out []api.Message) {
	names := map[string]bool{}
	list, err := os.Open("../binapi/testdata/manifest.txt")
	require.NoError(t, err)
	defer list.Close()
	for lines := bufio.NewScanner(list); lines.Scan(); {
		if words := strings.Fields(lines.Text()); strings.HasPrefix(lines.Text(), " ") {
			names[words[0]+"_"+words[1]] = true
		}
	}
	l := New(t).life
	for id := range l.handlers {
		names[l.table.entries[id].name+"_"+l.table.entries[id].crc] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		m, ok := bindings()[name]
		require.True(t, ok, "%s is used by a kind: teach vpptest to answer it", name)
		if strings.HasPrefix(name, "want_") {
			continue // sequences with events begin with them
		}
		if m.GetMessageType() == api.RequestMessage && never[m.GetMessageName()] == "" && !strings.HasSuffix(m.GetMessageName(), "_reply") &&
			!strings.HasSuffix(m.GetMessageName(), "_details") {
			out = append(out, m)
		}
	}
	return out
}

// A found is a kind of difference, and the least that shows it.
type found struct {
	difference
	sequence []api.Message
	seed     uint64
	times    int
	file     string
}

// A fuzzer compares two makes of VPP.
type fuzzer struct {
	requests []api.Message
	fresh    func() (*pair, func(), error) // and what ends them
	trials   int
	deaths   bool                    // nothing else counts
	known    func(group string) bool // it needs not be made small once more
	figures
	found     map[string]*found
	sequences int
}

func newFuzzer(requests []api.Message, fresh func() (*pair, func(), error), trials int) *fuzzer {
	return &fuzzer{
		requests: requests, fresh: fresh, trials: trials, known: func(string) bool { return false },
		figures: figures{explained: make(map[string]int)}, found: make(map[string]*found),
	}
}

// try runs a sequence on fresh VPPs. Who killed one is looked for one by one.
func (f *fuzzer) try(sequence []api.Message, into *figures) (*difference, error) {
	for _, atOnce := range []int{32, 1} {
		p, end, err := f.fresh()
		if err != nil {
			return nil, err
		}
		p.deaths = f.deaths
		f := figures{explained: map[string]int{}}
		d, err := p.run(sequence, atOnce, &f)
		end()
		if !errors.Is(err, errAlone) {
			into.add(f)
			return d, err
		}
	}
	return nil, errors.New("VPP died of what it does not die of one by one")
}

// one makes a sequence of a seed, runs it, and makes what it finds small.
func (f *fuzzer) one(seed uint64) error {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), requests: f.requests}
	g.junk = pickOf(g, []float64{0, 0.01, 0.05})
	sequence := g.any()
	f.sequences++
	d, err := f.try(sequence, &f.figures)
	if err != nil || d == nil {
		return err
	}
	if d.died {
		if alone, err := f.diesWithout(sequence[:d.at]); err != nil || alone {
			f.explained["the real VPP died: "+ownPackets]++
			return err
		}
	}
	if known := f.found[d.group]; known != nil {
		known.times++
		return nil
	}
	if f.known(d.group) {
		f.found[d.group] = &found{difference: *d, seed: seed, times: 1}
		return nil
	}
	small := shrink(sequence[:d.at+1], f.trials, func(s []api.Message) int {
		again, err := f.try(s, &figures{explained: map[string]int{}})
		if err != nil || again == nil || again.group != d.group {
			return 0
		}
		return again.at + 1
	})
	f.found[d.group] = &found{difference: *d, sequence: small, seed: seed, times: 1}
	return nil
}

// diesWithout tells whether VPP dies after what came before a request, too.
func (f *fuzzer) diesWithout(before []api.Message) (bool, error) {
	p, end, err := f.fresh()
	if err != nil {
		return false, err
	}
	defer end()
	return p.ends(before, 5*time.Second)
}

func (f *fuzzer) report(took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sequences, %d requests, %d replies and %d events compared in %s, %.0f a second\n",
		f.sequences, f.figures.requests, f.replies, f.events, took.Round(time.Second), float64(f.replies)/took.Seconds())
	for _, group := range slices.Sorted(maps.Keys(f.explained)) {
		fmt.Fprintf(&b, "explained   %5d x %s\n", f.explained[group], group)
	}
	for _, group := range slices.Sorted(maps.Keys(f.found)) {
		x := f.found[group]
		fmt.Fprintf(&b, "UNEXPLAINED %5d x %s (seed %d, %d requests) %s\n", x.times, group, x.seed, len(x.sequence), x.file)
	}
	return b.String()
}

// script is the sequence as one that can be recorded.
func (x *found) script() Script {
	s := Script{Name: slug(x.group), About: "found by comparison: " + x.group, Volatile: arbitrary}
	for _, m := range x.sequence {
		s.Steps = append(s.Steps, Step{Request: m})
	}
	return s
}

// save records what the real VPP answers, and sees that a replay shows the difference.
func (x *found) save(t *testing.T, reals *supply) {
	real := reals.next(t)
	defer real.Close()
	r, err := Record(real.Socket(), real.Dir(), x.script())
	if err != nil { // a VPP that hangs, say: what was asked is worth keeping
		t.Errorf("%s: %v", x.group, err)
		r, err = x.script().recording()
		require.NoError(t, err)
		require.NoError(t, r.Save(x.file))
		return
	}
	require.NoError(t, r.Save(x.file))
	fake, err := Start(append(reals.hosts, WithDirectory(real.Dir()))...)
	require.NoError(t, err)
	defer fake.Close()
	guard(fake, func(any) {})
	if r.Replay(fake.Socket(), real.Dir()) == nil && !x.died {
		t.Errorf("%s: a replay of %s does not show it; it was\nreal %v\nfake %v", x.group, x.file, x.real, x.fake)
	}
}

var noSlug = regexp.MustCompile(`[^a-zA-Z0-9_-]+`)

func slug(group string) string {
	s := strings.Trim(noSlug.ReplaceAllString(group, "-"), "-")
	return s[:min(len(s), 120)]
}

func TestDiff(t *testing.T) {
	if *diffReplies == 0 {
		t.Skip("asked for no replies: make diff does")
	}
	dir := *diffOut
	if dir == "" {
		var err error
		dir, err = os.MkdirTemp("", "vpp-diff")
		require.NoError(t, err)
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	reals := newSupply(t)
	f := newFuzzer(kindMessages(t), func() (*pair, func(), error) {
		for tries := 0; ; tries++ {
			real := reals.next(t)
			p, err := newPair(real.Socket(), real.Dir(), append([]Option{WithoutVhostNet(), WithHostNamespace("only")}, reals.hosts...)...)
			if errors.Is(err, os.ErrDeadlineExceeded) && tries < 5 { // on a busy machine it is late
				_ = real.Close()
				continue
			}
			return p, func() { p.close(); _ = real.Close() }, err
		}
	}, *diffTrials)
	f.deaths = *diffDeaths
	file := func(group string) string { return filepath.Join(dir, slug(group)+".json") }
	f.known = func(group string) bool { _, err := os.Stat(file(group)); return err == nil }
	began := time.Now()
	save := func() string {
		text := f.report(time.Since(began))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "figures.txt"), []byte(text), 0o644))
		return text
	}
	for seed := *diffSeed; f.replies < *diffReplies && time.Since(began) < *diffFor; seed++ {
		before := len(f.found)
		require.NoError(t, f.one(seed), "seed %d", seed)
		save() // a run of hours may be ended by others
		if len(f.found) == before {
			continue
		}
		for _, x := range f.found {
			if x.seed != seed {
				continue
			}
			if x.file = file(x.group); x.sequence != nil {
				t.Logf("%s: %d requests, %s", x.group, len(x.sequence), x.file)
				x.save(t, reals)
			}
		}
	}
	fmt.Print(save())
	require.Empty(t, slices.Sorted(maps.Keys(f.found)), "unexplained differences: see %s", dir)
}

// A supply has the next VPP ready.
type supply struct {
	ready chan *RealVPP
	bad   chan error
	hosts []Option // what there is for host-interfaces
}

func newSupply(t *testing.T) *supply {
	s := &supply{ready: make(chan *RealVPP), bad: make(chan error, 1)}
	opts := []RealOption{WithStartup("plugins { plugin linux_cp_plugin.so { enable } }")} // which VPP does not load by itself
	ns := fmt.Sprintf("vpptest-diff-%d", os.Getpid())
	if hostDevices(ns) {
		opts = append(opts, InNetNS(ns))
		s.hosts = []Option{WithHostDevice("vt0"), WithHostDevice("vt1")}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	} else {
		s.hosts = []Option{WithHostDevice("")}
	}
	Real(t, opts...) // or skip
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			v, err := StartReal(opts...)
			for tries := 0; err != nil && tries < 5; tries++ { // a busy machine may be too slow for it
				v, err = StartReal(opts...)
			}
			if err != nil {
				s.bad <- err
				return
			}
			select {
			case s.ready <- v:
			case <-done:
				_ = v.Close()
				return
			}
		}
	}()
	t.Cleanup(func() { close(done); <-ended })
	return s
}

func (s *supply) next(t *testing.T) *RealVPP {
	select {
	case v := <-s.ready:
		return v
	case err := <-s.bad:
		t.Fatal(err)
		return nil
	}
}

// hostDevices makes a network namespace with a pair of devices.
func hostDevices(ns string) bool {
	_ = exec.Command("ip", "netns", "del", ns).Run()
	for _, command := range []string{
		"ip netns add " + ns,
		"ip -n " + ns + " link add vt0 type veth peer name vt1",
		"ip -n " + ns + " link set vt0 up",
		"ip -n " + ns + " link set vt1 up",
	} {
		args := strings.Fields(command)
		if exec.Command(args[0], args[1:]...).Run() != nil {
			return false
		}
	}
	return true
}
