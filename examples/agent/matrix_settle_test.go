// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

// still are the names of the ports that nobody touches.
func still() (out []string) {
	for i := range stillPorts {
		out = append(out, uuid(i))
	}
	return out
}

// differs says in what VPP is otherwise than etcd says, by a connection and a plan of its own; "": in nothing.
func (w *world) differs() string {
	wants := map[desiredstate.Key]desiredstate.Object{}
	add := func(objs []desiredstate.Object) {
		for _, o := range objs {
			wants[o.Key()] = o
		}
	}
	add(w.site.UplinkObjects("physnet1"))
	for name, value := range w.values {
		p, err := w.site.Port(name, []byte(value))
		require.NoError(w, err)
		add(p.Objects())
	}
	for g, text := range texts() {
		if in := func(groups []string) bool { return slices.Contains(groups, gid(g)) }; slices.ContainsFunc(slices.Collect(maps.Values(w.groups)), in) {
			group, err := translate.Group(gid(g), []byte(text))
			require.NoError(w, err)
			sets, err := translate.GroupObjects(group, nil)
			require.NoError(w, err)
			add(sets)
		}
	}
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	c, err := vppnet.Dial(ctx, w.vpp.Socket(), translate.Owner)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = c.Close() }()
	e, _ := engine(c, w.site)
	p, err := e.Plan(ctx, slices.Collect(maps.Values(wants))...)
	if err != nil {
		return err.Error()
	}
	if p.Empty() && p.Unread == nil {
		return ""
	}
	return p.String()
}

// settle waits until all is as it is wanted (I1), and returns how long that took.
func (w *world) settle() time.Duration {
	w.Helper()
	began := time.Now()
	w.tried()
	said, differs := "", ""
	require.Eventually(w, func() bool {
		bound := slices.Sorted(maps.Keys(w.boundNow("h1")))
		errs, _ := w.rig.said("h1", "errors/")
		said = fmt.Sprintf("bound: %v, errors: %v", bound, errs)
		if !slices.Equal(bound, names(w.vlans)) || !maps.Equal(w.wrong, present(errs)) {
			return false
		}
		differs = w.differs()
		return differs == ""
	}, time.Minute, 20*time.Millisecond, "%s\n%s\nwanted: %v", (*latest)(&said), (*latest)(&differs), names(w.vlans))
	took := time.Since(began)
	w.whole(w.site, w.vpp.Socket(), w.vlans, w.groups)
	return took
}

// tried waits until the agent has done, or reported as wrong, all that it was told.
func (w *world) tried() {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 90*time.Second)
	defer cancel()
	if err := controller.Applied(ctx, w.client, "h1", w.at); err != nil {
		require.NoError(w, err, w.differs())
	}
}

func present(all map[string]string) map[string]bool {
	out := map[string]bool{}
	for name := range all {
		out[name] = true
	}
	return out
}

// sees waits until whoever asks the agent how it is hears of something (I8), for five seconds.
func (w *world) sees(word string) {
	w.Helper()
	var text string
	require.Eventually(w, func() bool {
		body, err := ask(w.Context(), w.page, "GET", "/readyz")
		if err != nil {
			text = err.Error()
		} else {
			b, _ := io.ReadAll(body)
			_ = body.Close()
			text = string(b)
		}
		return strings.Contains(text, word)
	}, 5*time.Second, 20*time.Millisecond, "readyz says %s", (*latest)(&text))
}

// withdrawn waits until no port is said to be bound (I5).
func (w *world) withdrawn() {
	w.Helper()
	require.Eventually(w, func() bool { return len(w.boundNow("h1")) == 0 }, 5*time.Second, 10*time.Millisecond, "ports are said to be bound, and there is no VPP")
}

// serves has a new port served while something else is wrong, in due time (I6).
func (w *world) serves() {
	w.Helper()
	began := time.Now()
	i := 100 + w.random.IntN(1000)
	w.want(i, 100+w.random.IntN(4), w.random.IntN(2) == 0)
	require.Eventually(w, func() bool { return w.boundNow("h1")[uuid(i)] != "" }, longest, tick, "a good port waits for a bad one")
	w.Logf("a good port was served after %v", time.Since(began).Round(time.Millisecond))
	w.drop(i)
}

// pause waits for a while that is drawn.
func (w *world) pause(most time.Duration) {
	time.Sleep(time.Duration(w.random.Int64N(int64(most))))
}
