// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/etcd"
)

var (
	kills = flag.Int("kills", 40, "how often the writer is killed")
	seed  = flag.Uint64("seed", 0, "of the moments at which it is; 0: any")
)

// writerOf makes this test binary a writer: a process that can be killed.
const writerOf = "CONTROLLER_TEST_WRITER"

func TestMain(m *testing.M) {
	if path, url, ok := strings.Cut(os.Getenv(writerOf), " "); ok {
		if err := writer(path, url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// writer accepts one entry after the other, and says so, until it is killed. It begins after the
// mark. As long as its standard input is open there is always more to say.
func writer(path, url string) error {
	client, err := etcd.Dial(url, etcd.Access{})
	if err != nil {
		return err
	}
	j, err := controller.Open(path, client, controller.Options{MostEntries: 200})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	enough := make(chan struct{})
	go func() {
		defer close(enough)
		_, _ = os.Stdin.Read(make([]byte, 1))
	}()
	n := 0
	if j.Mark() != "" {
		if n, err = strconv.Atoi(j.Mark()); err != nil {
			return err
		}
	}
	last := j.Status().Accepted
	for more := true; more; {
		select {
		case <-enough:
			more = false
			continue
		case err := <-ended:
			return err
		default:
		}
		n++
		if last, err = j.Accept(ctx, strconv.Itoa(n), changes(n)...); err != nil {
			return err
		}
		fmt.Println(n)
	}
	if _, err := j.Written(ctx, last); err != nil {
		return err
	}
	cancel()
	return errors.Join(ignore(<-ended), j.Close())
}

func ignore(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// A writer that is killed at any moment, again and again, while etcd comes and goes: all that
// it accepted comes, each entry once, in order. Nobody but etcd and the file knows how far it was.
func TestKills(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(t.TempDir(), "journal")
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	rnd := rand.New(rand.NewPCG(*seed, 0))
	start := func() (cmd *exec.Cmd, lines *bufio.Scanner, enough func()) {
		cmd = exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerOf+"="+path+" "+r.etcd.URL())
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		return cmd, bufio.NewScanner(out), func() { _ = in.Close() }
	}
	begin, heard, outages, early := time.Now(), 0, 0, 0
	for range *kills {
		outage := rnd.IntN(8) == 0
		if outage {
			outages++
			r.etcd.Stop()
		}
		cmd, lines, _ := start()
		pid := cmd.Process
		// Half of them while it starts, half while it works.
		wait := time.Duration(rnd.IntN(60)) * time.Millisecond
		if rnd.IntN(2) == 0 {
			wait = time.Duration(rnd.IntN(250)) * time.Millisecond
		}
		timer := time.AfterFunc(wait, func() { _ = pid.Kill() })
		said := false
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			require.NoError(t, err)
			heard, said = max(heard, n), true
		}
		if !said {
			early++
		}
		timer.Stop()
		_ = cmd.Wait()
		require.Equal(t, -1, cmd.ProcessState.ExitCode(), "it ended by itself")
		if outage {
			require.NoError(t, r.etcd.Start())
		}
	}
	cmd, lines, enough := start()
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		require.NoError(t, err)
		if n > heard {
			heard = n
			enough()
		}
	}
	require.NoError(t, cmd.Wait())

	j := r.open(path, nil, controller.Options{})
	entries, err := strconv.Atoi(j.Mark())
	require.NoError(t, err)
	require.NoError(t, j.Close())
	require.GreaterOrEqual(t, entries, heard, "what was said to be accepted was lost")
	got, transactions := r.events()
	want := told(entries)
	require.Equal(t, len(want), len(got), "events")
	for i := range want {
		require.Equal(t, want[i], got[i], "event %d", i)
	}
	t.Logf("%d kills (%d before it accepted anything, %d while etcd was away) in %v: %d entries accepted, 0 lost, 0 twice, 0 out of order; %d events in %d transactions",
		*kills, early, outages, time.Since(begin).Round(time.Second), entries, len(got), transactions)
}
