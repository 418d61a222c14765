// SPDX-License-Identifier: Apache-2.0

package netrig

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Ping asks an address for an answer, for two seconds, or as ping(8) is told by more
// arguments, and says whether there was one, and what ping said. That ping cannot run
// is no answer. Linux looks for neighbours anew: what is sent while an earlier vain
// search goes on would be lost with it.
func (n NetNS) Ping(t testing.TB, addr string, args ...string) (answered bool, output string) {
	t.Helper()
	n.IP(t, "neigh", "flush", "all")
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
	for deadline := time.Now().Add(30 * time.Second); ; {
		answered, out := n.Ping(t, addr, args...)
		if answered {
			return out
		}
		require.True(t, time.Now().Before(deadline), "%s does not answer %s: %s", addr, n, out)
	}
}

// Misses demands that there is no answer. It proves something beside one that is.
func (n NetNS) Misses(t testing.TB, addr string, args ...string) {
	t.Helper()
	answered, out := n.Ping(t, addr, args...)
	require.False(t, answered, "%s answers %s: %s", addr, n, out)
}
