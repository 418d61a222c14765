// SPDX-License-Identifier: Apache-2.0

//go:build linux

package netrig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Ping asks an address for an answer, for two seconds, or as ping(8) is told by more
// arguments, and says whether there was one, and what ping said. That ping cannot run
// is no answer. Linux begins vain searches for neighbours anew: what is sent while one
// goes on would be lost with it. It keeps the neighbours that it has found: who forgot
// one while somebody else asks it would lose what waits for its being found again.
func (n NetNS) Ping(t testing.TB, addr string, args ...string) (answered bool, output string) {
	t.Helper()
	n.IP(t, "neigh", "flush", "nud", "incomplete", "nud", "failed")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	args = append([]string{"netns", "exec", string(n), "ping", "-n", "-c", "1", "-i", "0.2", "-w", "2"}, append(args, addr)...)
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && strings.Contains(string(out), " 0 received") {
		return false, string(out)
	}
	require.NoError(t, err, "%s", out)
	return true, string(out)
}

// Reaches demands an answer, however long a busy machine needs for it (but half a
// minute), and returns what ping said then.
func (n NetNS) Reaches(t testing.TB, addr string, args ...string) string {
	t.Helper()
	return n.until(t, true, addr, args)
}

// Loses demands that there is no answer any more, however long that takes.
func (n NetNS) Loses(t testing.TB, addr string, args ...string) {
	t.Helper()
	n.until(t, false, addr, args)
}

func (n NetNS) until(t testing.TB, want bool, addr string, args []string) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		answered, out := n.Ping(t, addr, args...)
		if answered == want {
			return out
		}
		require.True(t, time.Now().Before(deadline), "%s answers %s: %t: %s", addr, n, answered, out)
	}
}

// Misses demands that there is no answer. It proves something beside one that is.
func (n NetNS) Misses(t testing.TB, addr string, args ...string) {
	t.Helper()
	answered, out := n.Ping(t, addr, args...)
	require.False(t, answered, "%s answers %s: %s", addr, n, out)
}

// Pings asks an address twenty times a second, and has had an answer to what it asked after
// an answer when it returns: until then the path is being made, and VPP's NAT44-ED drops the second
// of two first packets of a floating IP that it takes at once (it finds the session of the first to
// be in the way of another, and forgets both). Stop waits for another answer, and says how many
// between them never came, a second later; if any, that is logged, and what else ping said.
func (n NetNS) Pings(t testing.TB, addr string) (stop func() (answers, lost int)) {
	t.Helper()
	n.Reaches(t, addr)
	cmd := n.Command(t, "ping", "-D", "-n", "-i", "0.05", addr)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	answered := make(chan reply, 1<<16)
	var said []string // else; until answered is closed
	go func() {
		defer close(answered)
		for s := bufio.NewScanner(out); s.Scan(); {
			if a, ok := replyOf(s.Text(), addr); ok {
				answered <- a
			} else {
				said = append(said, s.Text())
			}
		}
	}()
	next := func() reply {
		select {
		case a, ok := <-answered:
			require.True(t, ok, "ping has ended")
			return a
		case <-time.After(30 * time.Second):
			require.Fail(t, "no more answers", "of %s to %s", addr, n)
			return reply{}
		}
	}
	way := next() // there is one
	from := next()
	for from.asked <= way.came {
		from = next()
	}
	first := from.seq
	return func() (answers, lost int) {
		came, last := map[int]bool{first: true}, first
		for more := true; more; { // those so far, and another
			more = len(answered) > 0
			seq := next().seq
			came[seq], last = true, max(last, seq)
		}
		maps.DeleteFunc(came, func(seq int, _ bool) bool { return seq < first })
		for late := time.After(time.Second); len(came) <= last-first; { // Linux may have overtaken some
			select {
			case a, ok := <-answered:
				require.True(t, ok, "ping has ended")
				if first < a.seq && a.seq < last {
					came[a.seq] = true
				}
				continue
			case <-late:
			}
			break
		}
		_ = cmd.Process.Kill()
		for range answered { // until it has ended
		}
		_ = cmd.Wait()
		if lost = last - first + 1 - len(came); lost != 0 {
			var never []int
			for seq := first; seq < last; seq++ {
				if !came[seq] {
					never = append(never, seq)
				}
			}
			t.Logf("%s asked %s from %d to %d, without an answer to %d:\n%s", n, addr, first, last, never, strings.Join(said, "\n"))
		}
		return len(came), lost
	}
}

// reply is one to a ping, with the number of what was asked, and when, by its own clock, it was
// asked and came: seconds since 1970.
type reply struct {
	seq         int
	asked, came float64
}

// replyOf reads a line of ping -D.
func replyOf(line, addr string) (a reply, ok bool) {
	var size, ttl int
	var from string
	var took float64 // ms
	_, err := fmt.Sscanf(line, "[%f] %d bytes from %s icmp_seq=%d ttl=%d time=%f", &a.came, &size, &from, &a.seq, &ttl, &took)
	a.asked = a.came - took/1000
	return a, err == nil && from == addr+":"
}
