// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"
)

// transcript is what a Dump asks on its streams, and what is answered.
type transcript struct {
	mu     sync.Mutex
	heard  []heard
	opened int      // streams
	spoilt bool     // the Dump has to do with more than this
	early  []answer // what has come already to what will be asked
}

// heard is what was sent on a stream, and all that was answered.
type heard struct {
	asked  []asked
	answer uint64 // a hash of all messages, in order
}

// asked is a request.
type asked struct {
	name  string
	frame string // without a context
}

// answer is what came to requests of which nobody knows yet that they will be sent.
type answer struct {
	asked []asked
	queue queue
}

type transcriptKey struct{}

// transcriptOf is nil if there is none. The methods that others call do nothing then.
func transcriptOf(ctx context.Context) *transcript {
	t, _ := ctx.Value(transcriptKey{}).(*transcript)
	return t
}

// spoil says that the Dump has to do with more than what it asks on its streams.
func (t *transcript) spoil() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spoilt = true
}

// whole says whether all that the Dump has to do with is in the transcript.
func (t *transcript) whole() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.spoilt && len(t.heard) == t.opened
}

// replay asks what was asked before, and says whether all of the answers are the same. Else
// those that have come are kept.
func (t *transcript) replay(ctx context.Context, c *Conn, last []heard) (same bool, err error) {
	for _, h := range last {
		a, sum, err := c.askAgain(ctx, h.asked)
		if err != nil {
			return false, err
		}
		t.early = append(t.early, a)
		if sum != h.answer {
			return false, nil
		}
	}
	return true, nil
}

// drop lets go of answers that nobody has asked for.
func (t *transcript) drop() {
	for _, a := range t.early {
		a.queue.release()
	}
}

// ear listens to a stream for a transcript; nil does not.
type ear struct {
	t     *transcript
	asked []asked
	hash  maphash.Hash
	held  bool // what is asked is not yet sent: it may have been answered
}

// hashSeed is one for all, so that the same bytes have the same hash.
var hashSeed = maphash.MakeSeed()

func (t *transcript) listen() *ear {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened++
	e := &ear{t: t, held: len(t.early) > 0}
	e.hash.SetSeed(hashSeed)
	return e
}

// ask notes a request, and says whether it is held.
func (e *ear) ask(name string, frame []byte) (held bool) {
	if e == nil {
		return false
	}
	e.t.mu.Lock()
	defer e.t.mu.Unlock()
	e.asked = append(e.asked, asked{name, string(frame)})
	return e.held
}

// settle says which of the requests are to be sent now, or what was answered to them before.
func (e *ear) settle() (send []asked, a answer) {
	if e == nil {
		return nil, a
	}
	e.t.mu.Lock()
	defer e.t.mu.Unlock()
	if !e.held {
		return nil, a
	}
	e.held = false
	i := slices.IndexFunc(e.t.early, func(a answer) bool { return slices.Equal(a.asked, e.asked) })
	if i < 0 {
		return e.asked, a
	}
	a = e.t.early[i]
	e.t.early = slices.Delete(e.t.early, i, i+1)
	return nil, a
}

// hear notes an answer.
func (e *ear) hear(t *table, msg []byte) {
	if e == nil {
		return
	}
	if hash(&e.hash, t, msg) {
		e.t.mu.Lock()
		defer e.t.mu.Unlock()
		e.t.heard = append(e.t.heard, heard{e.asked, e.hash.Sum64()})
	}
}

// hash adds a message, but for its context, or says that it is the ping's answer that ends a
// dump: in that VPP sends what happens to be in its memory.
func hash(h *maphash.Hash, t *table, msg []byte) (end bool) {
	id := binary.BigEndian.Uint16(msg)
	if id == t.pong {
		return true
	}
	at := t.contextAt(id)
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(msg)))
	_, _ = h.Write(size[:])
	_, _ = h.Write(msg[:at])
	_, _ = h.Write(msg[at+4:])
	return false
}

// askAgain sends requests that end with a ping, and returns all that is answered, with its
// hash.
func (c *Conn) askAgain(ctx context.Context, all []asked) (a answer, sum uint64, err error) {
	opened, err := c.NewStream(ctx)
	if err != nil {
		return a, 0, err
	}
	defer opened.Close()
	s := opened.(*stream)
	for _, r := range all {
		if err := s.expect(r.name, ""); err != nil {
			return a, 0, err
		}
		if err := s.transmit(r.name, []byte(r.frame)); err != nil {
			return a, 0, err
		}
	}
	if err := s.whole(); err != nil {
		return a, 0, err
	}
	var h maphash.Hash
	h.SetSeed(hashSeed)
	a = answer{all, s.empty()}
	a.queue.each(func(msg []byte) { hash(&h, c.table, msg) })
	return a, h.Sum64(), nil
}

// whole waits until all of a dump has come, of which nothing was read.
func (s *stream) whole() error {
	for {
		s.mu.Lock()
		err, last := s.ended(), s.queue.last()
		end := last != nil && binary.BigEndian.Uint16(last) == s.conn.table.pong
		s.mu.Unlock()
		if err != nil || end {
			return err
		}
		if err := s.wait(); err != nil {
			return err
		}
	}
}

// empty takes all that has come.
func (s *stream) empty() queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue
	s.queue = queue{}
	s.conn.stats.queued.Add(-int64(q.n))
	return q
}

// settle sends what was held, or takes what was answered to it.
func (s *stream) settle() error {
	send, a := s.ear.settle()
	for _, r := range send {
		if err := s.transmit(r.name, []byte(r.frame)); err != nil {
			return err
		}
	}
	if a.queue.n == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		a.queue.release()
	} else {
		s.queue = a.queue
		s.conn.stats.queued.Add(int64(a.queue.n))
	}
	return nil
}
