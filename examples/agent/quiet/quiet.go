// SPDX-License-Identifier: Apache-2.0

// Package quiet keeps a log readable whatever happens: what repeats itself is counted
// instead, and nothing is longer than it may be.
package quiet

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

// Limits are how often something is logged in each Window, beginning with the first time;
// the zero value of each is what stands beside it. What is beyond is counted, and the count
// logged with the first record after the Window, or by Flush. Records of a level below
// From are not limited: somebody asked for all of them.
type Limits struct {
	Window  time.Duration // a minute
	Message int           // 60: records with one message
	Subject int           // 6: of these, about one subject, which is the value of the first attribute
	Bytes   int           // 1000: of a value; what is longer is cut
	From    slog.Level    // slog.LevelInfo is 0
}

// Handler passes records on to h within limits. It is safe for concurrent use, as are those
// that its methods return, which share its counts.
func Handler(h slog.Handler, l Limits) *Quiet {
	or := func(n *int, std int) {
		if *n == 0 {
			*n = std
		}
	}
	or(&l.Message, 60)
	or(&l.Subject, 6)
	or(&l.Bytes, 1000)
	if l.Window == 0 {
		l.Window = time.Minute
	}
	return &Quiet{next: h, counts: &counts{limits: l, said: map[string]*count{}}}
}

// Quiet is a slog.Handler.
type Quiet struct {
	next   slog.Handler
	counts *counts
}

type counts struct {
	limits Limits

	mu    sync.Mutex
	since time.Time
	said  map[string]*count // by message
}

type count struct {
	n       int // passed on
	hushed  int
	of      map[string]int // passed on, by subject: no more than the limit for the message
	example string         // a subject that was hushed
}

// Enabled is next's.
func (q *Quiet) Enabled(ctx context.Context, l slog.Level) bool { return q.next.Enabled(ctx, l) }

// WithAttrs is next's.
func (q *Quiet) WithAttrs(a []slog.Attr) slog.Handler {
	return &Quiet{q.next.WithAttrs(a), q.counts}
}

// WithGroup is next's.
func (q *Quiet) WithGroup(name string) slog.Handler {
	return &Quiet{q.next.WithGroup(name), q.counts}
}

// Handle passes a record on, or counts it.
func (q *Quiet) Handle(ctx context.Context, r slog.Record) error {
	c := q.counts
	short := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	subject := ""
	r.Attrs(func(a slog.Attr) bool {
		a.Value = c.limits.cut(a.Value)
		if subject == "" {
			subject = a.Value.String()
		}
		short.AddAttrs(a)
		return true
	})
	if r.Level < c.limits.From {
		return q.next.Handle(ctx, short)
	}
	c.mu.Lock()
	var before []slog.Record
	if now := time.Now(); now.Sub(c.since) >= c.limits.Window {
		before = c.take(now)
		c.since = now
	}
	passes := c.passes(r.Message, subject)
	c.mu.Unlock()
	for _, b := range before {
		if err := q.next.Handle(ctx, b); err != nil {
			return err
		}
	}
	if !passes {
		return nil
	}
	return q.next.Handle(ctx, short)
}

// Flush logs what was counted and not logged yet.
func (q *Quiet) Flush(ctx context.Context) {
	q.counts.mu.Lock()
	all := q.counts.take(time.Now())
	q.counts.mu.Unlock()
	for _, r := range all {
		_ = q.next.Handle(ctx, r)
	}
}

func (c *counts) passes(message, subject string) bool {
	x := c.said[message]
	if x == nil {
		x = &count{of: map[string]int{}}
		c.said[message] = x
	}
	if x.n >= c.limits.Message || x.of[subject] >= c.limits.Subject {
		x.hushed++
		x.example = subject
		return false
	}
	x.n++
	x.of[subject]++
	return true
}

// take words what was counted, and begins anew.
func (c *counts) take(now time.Time) (out []slog.Record) {
	for message, x := range c.said {
		if x.hushed > 0 {
			r := slog.NewRecord(now, slog.LevelWarn, "the same again, not logged", 0)
			r.AddAttrs(slog.String("message", message), slog.Int("times", x.hushed), slog.String("last", x.example))
			out = append(out, r)
		}
	}
	clear(c.said)
	return out
}

func (l Limits) cut(v slog.Value) slog.Value {
	if v = v.Resolve(); v.Kind() != slog.KindString && v.Kind() != slog.KindAny {
		return v
	}
	s := v.String()
	if len(s) <= l.Bytes {
		return v
	}
	n := l.Bytes
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return slog.StringValue(fmt.Sprintf("%s … and %d bytes more", s[:n], len(s)-n))
}
