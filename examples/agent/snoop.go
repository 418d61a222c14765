// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/observe"
	"github.com/vppkit/vppkit/examples/agent/snoop"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

// Bounds of a snoop.
const (
	mostSnooped   = 100_000
	longestSnoop  = 10 * time.Minute
	snoopEnd      = "Snoop-Ended" // a trailer: why before it was over
	snoopPatience = 10 * time.Second
)

// snoops are the places of those that are under way.
type snoops struct {
	mu    sync.Mutex
	taken [translate.Snoops]bool
}

func (s *snoops) take() (place int, free bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	place = slices.Index(s.taken[:], false)
	if place >= 0 {
		s.taken[place] = true
	}
	return place, place >= 0
}

func (s *snoops) leave(place int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[place] = false
}

// snoopOptions say what of a port to copy, and how much.
type snoopOptions struct {
	port    string
	packets int
	time    time.Duration
	only    string // "from" the port, "to" it, or "": both
}

// check refuses what is no snoop.
func (o snoopOptions) check() error {
	switch {
	case o.port == "":
		return errors.New("which port?")
	case o.packets < 1 || o.packets > mostSnooped:
		return fmt.Errorf("%d packets: want 1 to %d", o.packets, mostSnooped)
	case o.time <= 0 || o.time > longestSnoop:
		return fmt.Errorf("for %s: want more than nothing, and at most %s", o.time, longestSnoop)
	case o.only != "" && o.only != "from" && o.only != "to":
		return fmt.Errorf("only %.40q: want from or to", o.only)
	}
	return nil
}

func readSnoop(q *http.Request) (o snoopOptions, err error) {
	o = snoopOptions{port: q.FormValue("port"), only: q.FormValue("only")}
	o.packets, err = strconv.Atoi(q.FormValue("packets"))
	lasts, wrong := time.ParseDuration(q.FormValue("time"))
	o.time = lasts
	return o, cmp.Or(err, wrong, o.check())
}

// serveSnoop answers with a pcap of what passes a port. What it needs in VPP are wants like all
// others, of a source of its own: they go when it ends, and if the agent is killed, when the next
// one finds that nobody wants them.
func (a *agent) serveSnoop(w http.ResponseWriter, q *http.Request) {
	o, err := readSnoop(q)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p, err := a.inbox.Find(o.port)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if a.connected.Load() == nil {
		http.Error(w, "VPP is away", http.StatusServiceUnavailable)
		return
	}
	place, free := a.snoops.take()
	if !free {
		http.Error(w, fmt.Sprintf("%d snoops are under way; wait for one to end", translate.Snoops), http.StatusServiceUnavailable)
		return
	}
	defer a.snoops.leave(place)
	a.log.Warn("snooping", "port", p.UUID)
	a.insight.history.Note(observe.Entry{What: "snooped", Object: vppnet.InterfaceKey(p.Interface()).String()})
	secret := rand.Text()[:20]
	x := translate.Snoop{Place: place, Secret: vppnet.NewSecret(secret), NoRx: o.only == "to", NoTx: o.only == "from"}
	objs := x.Objects(a.site, p)
	var keys []desiredstate.Key
	for _, obj := range objs {
		keys = append(keys, obj.Key())
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(q.Context()), snoopPatience)
		defer cancel()
		_ = a.inbox.Snoop(place)
		if a.store.WaitGone(ctx, keys...) == nil { // else later
			_ = os.Remove(x.Socket(a.site)) // which VPP leaves, to no harm
		}
	}()
	ready, cancel := context.WithTimeout(q.Context(), snoopPatience)
	defer cancel()
	if err = a.inbox.Snoop(place, objs...); err == nil {
		err = a.store.Wait(ready, keys...)
	}
	var m *snoop.Memif
	if err == nil {
		m, err = snoop.Dial(x.Socket(a.site), 0, secret)
	}
	if err != nil {
		http.Error(w, cut(err.Error()), http.StatusServiceUnavailable)
		return
	}
	defer m.Close()
	w.Header().Set("Trailer", snoopEnd)
	w.Header().Set("Content-Type", "application/vnd.tcpdump.pcap")
	if err := a.copy(q.Context(), w, m, o, x.Mirror(p).Key()); err != nil {
		w.Header().Set(snoopEnd, cut(err.Error()))
	}
}

// copy passes frames on until it has been enough, or the mirror is not in VPP any more.
func (a *agent) copy(ctx context.Context, w http.ResponseWriter, m *snoop.Memif, o snoopOptions, mirror desiredstate.Key) error {
	const look = 200 * time.Millisecond
	begun := time.Now()
	to := http.NewResponseController(w)
	if err := to.SetWriteDeadline(begun.Add(o.time + snoopPatience)); err != nil {
		return err
	}
	file, err := snoop.NewWriter(w, false)
	if err == nil {
		err = to.Flush() // so that whoever asked knows that it has begun
	}
	for n, end := 0, begun.Add(o.time); err == nil && n < o.packets && time.Now().Before(end); {
		var frame []byte
		switch frame, err = m.Next(time.Now().Add(min(look, time.Until(end)))); {
		case err == nil:
			n++
			err = file.Write(time.Now(), frame)
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err = to.Flush(); err != nil {
				break
			}
			if st, _ := a.store.Status(mirror); st.State != desiredstate.Applied {
				err = fmt.Errorf("the port is not as it was: %w", cmp.Or(st.Err, errors.New("its copies ended")))
			}
		}
		err = cmp.Or(err, ctx.Err())
	}
	return err
}
