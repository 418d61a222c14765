// SPDX-License-Identifier: Apache-2.0

package quiet_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/quiet"
)

// A key that toggles, and any number of keys that are bad, fill no log; what was not logged
// is counted, to the last one. Others are heard all the same.
func TestRepetitionsAreCounted(t *testing.T) {
	var out bytes.Buffer
	h := quiet.Handler(slog.NewTextHandler(&out, nil), quiet.Limits{Window: 200 * time.Millisecond, Message: 20, Subject: 3})
	log := slog.New(h).With("host", "h1")
	for range 1000 {
		log.Warn("key is not served", "key", "toggles", "err", errors.New("junk"))
	}
	for i := range 1000 {
		log.Warn("key is not served", "key", i)
	}
	log.Error("another", "key", "x")
	text := out.String()
	require.Equal(t, 3, strings.Count(text, "toggles"))
	require.Equal(t, 20, strings.Count(text, "key is not served"))
	require.Contains(t, text, "another")
	time.Sleep(250 * time.Millisecond)
	log.Info("later")
	require.Contains(t, out.String(), `msg="the same again, not logged" host=h1 message="key is not served" times=1980 last=999`)
	log.Warn("key is not served", "key", "toggles")
	require.Equal(t, 4, strings.Count(out.String(), "toggles"), "a new window")
	h.Flush(t.Context())
	require.Equal(t, 1, strings.Count(out.String(), "not logged"), "there was nothing more")
}

func TestWhatIsLongIsCut(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(quiet.Handler(slog.NewTextHandler(&out, nil), quiet.Limits{Bytes: 10}))
	log.Error("x", "err", errors.New(strings.Repeat("ä", 50000)), "n", 5)
	require.Less(t, out.Len(), 200)
	require.Contains(t, out.String(), `ää … and 99990 bytes more" n=5`)
}
