// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Options of a Journal; the zero value is good for most.
type Options struct {
	// MostEntries and MostBytes bound what waits for etcd; who has more to say waits, too. 0:
	// 100,000 entries, 64 MiB.
	MostEntries, MostBytes int

	// Probe is how often etcd is asked where it is though nothing is to be written: one that was
	// rolled back is noticed then. 0: 10 seconds.
	Probe time.Duration

	// Lost is told why nothing can be written for now, at each try.
	Lost func(error)

	// Adopt has the journal go on where an etcd is that is not the one it wrote to so far, or
	// has lost some of it. What that one had and this one lacks is not written again.
	Adopt bool
}

// Journal writes to etcd what it accepted: all of it, in that order, each entry in one transaction
// and once, though etcd be away for long, answers be lost, and any process die at any time.
// What is accepted is on disk. A transaction of etcd holds entries and how far they are,
// on the condition of how far they were: so who comes later knows, and nothing comes twice.
//
// A file has one Journal at a time, in one process; it is safe for concurrent use. Several
// files may write to one etcd: of each the order is kept, between them there is none.
type Journal struct {
	o    Options
	db   *bbolt.DB
	etcd clientv3.KV
	id   string
	bell chan struct{} // there is more to write

	mu       sync.Mutex
	queue    []*accepting
	saving   bool          // somebody is at the queue
	broken   error         // of the file; nothing is accepted any more
	moved    chan struct{} // closed when anything below has changed
	mark     string
	accepted uint64
	written  uint64 // etcd has all up to this
	revision int64  // that etcd had then; 0: it was not asked yet
	waiting  int    // entries that are accepted, or about to be, and not written
	bytes    int    // of these
	lost     error  // why etcd does not get them; nil: it does
}

// accepting is an entry that is not on disk yet.
type accepting struct {
	mark string
	text []byte
	seq  uint64
	err  error
	done chan struct{}
}

var (
	entries = []byte("entries") // by number, 8 bytes, big-endian
	about   = []byte("journal")
	idKey   = []byte("id")
	markKey = []byte("mark")
)

// ErrFull: as much as is allowed waits for etcd, and did so until the context ended.
var ErrFull = errors.New("journal is full")

// Open opens a journal, or makes one; its directory must be there. It fails if another
// process has it open. The journal writes nothing before Run.
func Open(path string, etcd clientv3.KV, o Options) (*Journal, error) {
	o.MostEntries = cmp.Or(o.MostEntries, 100_000)
	o.MostBytes = cmp.Or(o.MostBytes, 64<<20)
	o.Probe = cmp.Or(o.Probe, 10*time.Second)
	if o.Lost == nil {
		o.Lost = func(error) {}
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("journal %s: another process has it open", path)
	}
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	j := &Journal{o: o, db: db, etcd: etcd, bell: make(chan struct{}, 1), moved: make(chan struct{})}
	if err := db.Update(j.load); err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), db.Close())
	}
	return j, nil
}

// load reads what the file holds, and makes it a journal if it holds nothing.
func (j *Journal) load(tx *bbolt.Tx) error {
	a, err := tx.CreateBucketIfNotExists(about)
	if err != nil {
		return err
	}
	b, err := tx.CreateBucketIfNotExists(entries)
	if err != nil {
		return err
	}
	if a.Get(idKey) == nil {
		if err := a.Put(idKey, []byte(rand.Text())); err != nil {
			return err
		}
	}
	j.id, j.mark = string(a.Get(idKey)), string(a.Get(markKey))
	j.accepted = b.Sequence()
	j.written = j.accepted
	if first, _ := b.Cursor().First(); first != nil {
		j.written = binary.BigEndian.Uint64(first) - 1
	}
	return b.ForEach(func(_, text []byte) error {
		j.waiting++
		j.bytes += len(text)
		return nil
	})
}

// Close ends the journal, after Run has ended. What waits stays in the file.
func (j *Journal) Close() error { return j.db.Close() }

// Accept takes an entry: changes of different keys, which come in one transaction. When it
// returns without an error the entry is on disk, and will be written; seq numbers it. It
// waits for room as long as ctx allows, then fails with ErrFull; with ErrRefused if a host
// would not take a change as it is. After another error the file cannot be written: the
// journal is to be opened again, and Mark tells whether the entry was accepted.
//
// The mark says how far the caller is, in words of its own; "" leaves it as it is. It is kept
// with the entry: who starts again reads it by Mark, and goes on after it.
func (j *Journal) Accept(ctx context.Context, mark string, changes ...Change) (seq uint64, err error) {
	if err := check(changes); err != nil {
		return 0, err
	}
	text, err := json.Marshal(changes)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	p := &accepting{mark: mark, text: text, done: make(chan struct{})}
	if err := j.enqueue(ctx, p); err != nil {
		return 0, err
	}
	<-p.done
	return p.seq, p.err
}

func (j *Journal) enqueue(ctx context.Context, p *accepting) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.broken == nil && j.waiting > 0 && (j.waiting >= j.o.MostEntries || j.bytes+len(p.text) > j.o.MostBytes) {
		moved := j.moved
		j.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
		}
		j.mu.Lock()
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%w: %d entries of %d bytes wait for etcd: %w", ErrFull, j.waiting, j.bytes, errors.Join(err, j.lost))
		}
	}
	if j.broken != nil {
		return j.broken
	}
	j.waiting++
	j.bytes += len(p.text)
	if j.queue = append(j.queue, p); !j.saving {
		j.saving = true
		go j.save()
	}
	return nil
}

// save puts on disk what is in the queue; what comes meanwhile goes together.
func (j *Journal) save() {
	for {
		j.mu.Lock()
		todo, broken := j.queue, j.broken
		if j.queue = nil; len(todo) == 0 {
			j.saving = false
			j.mu.Unlock()
			return
		}
		j.mu.Unlock()
		err := broken
		if err == nil {
			err = j.db.Update(func(tx *bbolt.Tx) error { return put(tx, todo) })
		}
		j.mu.Lock()
		if err != nil && j.broken == nil {
			// Nobody knows what is on disk after it could not be written.
			j.broken = fmt.Errorf("journal %s: %w; open it again", j.db.Path(), err)
		}
		for _, p := range todo {
			if p.err = j.broken; p.err != nil {
				p.seq = 0
				continue
			}
			j.accepted = p.seq
			if p.mark != "" {
				j.mark = p.mark
			}
		}
		j.stir()
		j.mu.Unlock()
		for _, p := range todo {
			close(p.done)
		}
		j.ring()
	}
}

func put(tx *bbolt.Tx, todo []*accepting) (err error) {
	b, a := tx.Bucket(entries), tx.Bucket(about)
	for _, p := range todo {
		if p.seq, err = b.NextSequence(); err != nil {
			return err
		}
		if err := b.Put(number(p.seq), p.text); err != nil {
			return err
		}
		if p.mark != "" {
			if err := a.Put(markKey, []byte(p.mark)); err != nil {
				return err
			}
		}
	}
	return nil
}

func number(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// stir tells whoever waits that something has changed. mu is held.
func (j *Journal) stir() {
	close(j.moved)
	j.moved = make(chan struct{})
}

func (j *Journal) ring() {
	select {
	case j.bell <- struct{}{}:
	default:
	}
}

// Mark is that of the last entry that was accepted with one, by whichever process.
func (j *Journal) Mark() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mark
}

// Status is how a journal stands.
type Status struct {
	Accepted, Written uint64 // the numbers of the last entries that are on disk, and in etcd
	Waiting, Bytes    int    // what waits for etcd
	Lost              error  // why it does; nil: nothing failed
}

// Status says how the journal stands.
func (j *Journal) Status() Status {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Status{j.accepted, j.written, j.waiting, j.bytes, errors.Join(j.broken, j.lost)}
}

// Written waits until etcd has an entry and all before it, and returns a revision of etcd
// that has them.
func (j *Journal) Written(ctx context.Context, seq uint64) (revision int64, err error) {
	for {
		j.mu.Lock()
		at, revision, moved, lost := j.written, j.revision, j.moved, errors.Join(j.broken, j.lost)
		j.mu.Unlock()
		if revision != 0 && at >= seq {
			return revision, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return 0, fmt.Errorf("entry %d waits for etcd: %w", seq, errors.Join(ctx.Err(), lost))
		}
	}
}

// entry is one as it is on disk.
type entry struct {
	seq     uint64
	text    []byte
	changes []Change
}

// next are the entries after a number that can come in one transaction: a key is in it once. An
// entry that is on disk comes when that has been noted, or etcd would have what nobody accepted.
func (j *Journal) next(after uint64, most int) (out []entry, err error) {
	accepted := j.Status().Accepted
	keys, bytes, changes := map[string]bool{}, 0, 0
	err = j.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(entries).Cursor()
		for k, text := c.Seek(number(after + 1)); k != nil && len(out) < most; k, text = c.Next() {
			e, err := read(k, text)
			if err != nil || e.seq > accepted {
				return err
			}
			bytes += len(e.text)
			changes += len(e.changes)
			for _, x := range e.changes {
				if len(out) > 0 && (keys[x.Key] || changes > mostChanges || bytes > mostBytes) {
					return nil
				}
			}
			for _, x := range e.changes {
				keys[x.Key] = true
			}
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

func read(k, text []byte) (e entry, err error) {
	e.seq, e.text = binary.BigEndian.Uint64(k), bytes.Clone(text)
	if err := json.Unmarshal(text, &e.changes); err != nil {
		return e, fmt.Errorf("journal: entry %d is damaged: %w", e.seq, err)
	}
	return e, nil
}

// at is one entry; nil: it is not in the file any more.
func (j *Journal) at(seq uint64) (text []byte, err error) {
	err = j.db.View(func(tx *bbolt.Tx) error {
		text = bytes.Clone(tx.Bucket(entries).Get(number(seq)))
		return nil
	})
	return text, err
}

// forget removes what etcd has from the file, and says how much that was.
func (j *Journal) forget(upTo uint64) (gone, bytes int, err error) {
	err = j.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(entries)
		c := b.Cursor()
		for k, text := c.First(); k != nil && binary.BigEndian.Uint64(k) <= upTo; k, text = c.First() {
			gone++
			bytes += len(text)
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("journal %s: %w", j.db.Path(), err)
	}
	return gone, bytes, nil
}
