// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Spans makes a trace of each change: its root is the key that changed (a source of the Store), below it
// is what is done to each object that the key wants, and below that each message to VPP. A root ends
// with the first failure of what it wants, or the first thing that this waits for, or when all has
// converged; what is done for it after a failure is below it all the same. If too many wait, the older half ends. It is safe for concurrent use.
type Spans struct {
	tracer trace.Tracer

	// Sources says which sources want an object; Store.Sources. An object that none wants, or
	// that goes, is a trace of its own.
	Sources func(desiredstate.Key) []string

	mu    sync.Mutex
	roots map[string]*root
}

type root struct {
	ctx    context.Context // of the root's span, for those below it; not of any call
	span   trace.Span
	begun  time.Time
	worked bool // something was done for it
	ended  bool // by a failure: it is still what later work belongs to
}

// hesitation is how long after a change what has converged may be what was wanted before it.
const hesitation = time.Second

// NewSpans makes spans by a provider of OpenTelemetry.
func NewSpans(p trace.TracerProvider, sources func(desiredstate.Key) []string) *Spans {
	return &Spans{tracer: p.Tracer("github.com/vppkit/vppkit/examples/agent/observe"), Sources: sources, roots: map[string]*root{}}
}

// Changed says that a source has changed: a trace begins.
func (s *Spans) Changed(source string, about ...attribute.KeyValue) {
	ctx, span := s.tracer.Start(context.Background(), source, trace.WithNewRoot(), trace.WithAttributes(about...))
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, ok := s.roots[source]; ok {
		before.span.AddEvent("changed again") // to one that has ended, that does nothing
		before.end(nil)
	} else if len(s.roots) >= mostRoots {
		s.forget()
	}
	s.roots[source] = &root{ctx: ctx, span: span, begun: time.Now()}
}

// mostRoots is how many traces are under way at most: as long as anything does not converge, none is over.
const mostRoots = 20_000

// forget ends the older half of all. mu is held.
func (s *Spans) forget() {
	var begun []time.Time
	for _, r := range s.roots {
		begun = append(begun, r.begun)
	}
	slices.SortFunc(begun, time.Time.Compare)
	for source, r := range s.roots {
		if !r.begun.After(begun[len(begun)/2]) {
			r.end(nil)
			delete(s.roots, source)
		}
	}
}

// Object makes the context of the work on an object; for Engine.Trace.
func (s *Spans) Object(ctx context.Context, a desiredstate.Action, k desiredstate.Key) (context.Context, func(error)) {
	action, _ := a.MarshalText() // it always has a name
	sources := s.Sources(k)
	var opts []trace.SpanStartOption
	s.mu.Lock()
	for _, source := range sources {
		if r, ok := s.roots[source]; ok {
			r.worked = true
			if len(opts) == 0 {
				ctx = trace.ContextWithSpan(ctx, r.span)
			}
			opts = append(opts, trace.WithLinks(trace.LinkFromContext(r.ctx)))
		}
	}
	s.mu.Unlock()
	opts = append(opts, trace.WithAttributes(
		attribute.String("vppkit.object", k.String()), attribute.String("vppkit.action", string(action)),
		attribute.StringSlice("vppkit.sources", sources)))
	ctx, span := s.tracer.Start(ctx, string(action)+" "+k.Space, opts...)
	return ctx, func(err error) {
		fail(span, err)
		span.End()
	}
}

// Message makes the span of a message to VPP, if it belongs to an object; for vppnet.WithTrace.
func (s *Spans) Message(t vppnet.Trace) {
	if t.Ctx == nil || !trace.SpanContextFromContext(t.Ctx).IsValid() {
		return // of a reading, which is nobody's
	}
	now := time.Now()
	_, span := s.tracer.Start(t.Ctx, t.Message, trace.WithTimestamp(now.Add(-t.Duration)), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("rpc.system", "vpp"), attribute.String("rpc.method", t.Message), attribute.Int64("vppkit.context", int64(t.Context))))
	fail(span, t.Err)
	span.End(trace.WithTimestamp(now))
}

// Event ends traces; for Engine.Observe.
func (s *Spans) Event(e desiredstate.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Type {
	case desiredstate.Failed, desiredstate.Waiting:
		for _, source := range s.Sources(e.Key) {
			if r, ok := s.roots[source]; ok {
				r.end(e.Err)
			}
		}
	case desiredstate.Converged:
		for source, r := range s.roots {
			if r.worked || time.Since(r.begun) > hesitation {
				r.end(nil)
				delete(s.roots, source)
			}
		}
	}
}

// end ends the span of a root, once. The lock of the Spans is held.
func (r *root) end(err error) {
	if r.ended {
		return
	}
	r.ended = true
	fail(r.span, err)
	r.span.End()
}

func fail(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
}
