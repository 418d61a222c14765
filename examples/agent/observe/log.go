// SPDX-License-Identifier: Apache-2.0

// Package observe shows what a program on vppkit does, over the hooks that the library has
// (Engine.Observe, Engine.Trace, vppnet.WithTrace): logs, metrics, spans, a history, a server for
// all of these, and what systemd is told. Each part works without the others.
//
//	metrics, history := observe.NewMetrics(registry), observe.NewHistory(1000)
//	engine.Observe = desiredstate.Observers(observe.Log(log), metrics.Event, history.Event)
//	conn, err := vppnet.Dial(ctx, socket, owner, vppnet.WithTrace(metrics.Message))
package observe

import (
	"log/slog"

	"github.com/vppkit/vppkit/desiredstate"
)

// Log logs what an engine does: what is done at level debug, what fails, waits or has drifted above.
func Log(log *slog.Logger) func(desiredstate.Event) {
	return func(e desiredstate.Event) {
		switch e.Type {
		case desiredstate.Done:
			log.Debug("done", "action", e.Action, "object", e.Key, "took", e.Took)
		case desiredstate.Failed:
			log.Error("failed", "action", e.Action, "object", e.Key, "took", e.Took, "err", e.Err)
		case desiredstate.Waiting:
			log.Warn("waiting", "object", e.Key, "err", e.Err)
		case desiredstate.Drift:
			log.Warn("drifted; repairing", "object", e.Key)
		case desiredstate.ReadFailed:
			log.Error("cannot read VPP", "err", e.Err)
		case desiredstate.HeldBack:
			log.Error("removals are held back; look at \"agent status\", then \"agent confirm TOKEN\"", "token", e.Token, "err", e.Err)
		case desiredstate.Converged:
			log.Info("converged")
		}
	}
}
