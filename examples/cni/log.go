// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// startLog has the log go where the configuration says, or to stderr: stdout is for the
// result. What is logged is names, addresses and errors, never a configuration.
func startLog(c *netconf.Conf) {
	var w io.Writer = os.Stderr
	if c.LogFile != "" {
		if f, err := os.OpenFile(c.LogFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640); err == nil {
			w = f // open until the process ends
		}
	}
	level := map[string]slog.Level{
		"panic": slog.LevelError, "error": slog.LevelError, "info": slog.LevelInfo, "debug": slog.LevelDebug, "verbose": slog.LevelDebug,
	}
	at, ok := level[c.LogLevel]
	if !ok {
		at = slog.LevelWarn
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: at})))
}

// observe logs what an engine does.
func observe(e desiredstate.Event) {
	switch e.Type {
	case desiredstate.Done:
		slog.Info("done", "action", e.Action, "object", e.Key, "took", e.Took)
	case desiredstate.Failed, desiredstate.ReadFailed, desiredstate.HeldBack:
		slog.Warn(string(e.Type), "object", e.Key, "kind", e.Kind, "err", e.Err)
	}
}
