// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// Journals is the prefix of the keys that say how far journals are.
const Journals = translate.Root + "journals/"

// place is how far a journal is. It lies in etcd beside the keys, and so is of the same age.
type place struct {
	Entry uint64 `json:"entry"`         // the last one that etcd has
	Sum   string `json:"sum,omitempty"` // of its text: another file by the same id would differ

	mod      int64 // at which it was written; 0: never
	revision int64 // of etcd when it was read or written
}

// ErrElsewhere: etcd is not where the file says that it was. Either it lost what it had, or it is
// another one; or the file is an old copy, or one of two.
var ErrElsewhere = errors.New("etcd and journal do not go together")

// deadline is how long one call waits for etcd.
const deadline = 15 * time.Second

// Run writes until ctx ends, or until something is wrong that no waiting mends: the file cannot be
// written (open it again), or ErrElsewhere, which a person has to look at.
func (j *Journal) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(50*time.Millisecond),
		backoff.WithMaxInterval(5*time.Second),
		backoff.WithMaxElapsedTime(0),
	)
	for {
		err := j.session(ctx, pause.Reset)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case final(err):
			j.failed(err)
			return err
		}
		j.failed(err)
		j.o.Lost(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// outage is an error that passes.
type outage struct{ error }

func (o outage) Unwrap() error { return o.error }

func final(err error) bool {
	var o outage
	return !errors.As(err, &o)
}

func (j *Journal) failed(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lost = err
	j.stir()
}

// session writes until something fails.
func (j *Journal) session(ctx context.Context, reached func()) error {
	p, err := j.where(ctx)
	if err != nil {
		return err
	}
	together := mostChanges
	for {
		reached()
		if err := j.reached(p); err != nil {
			return err
		}
		todo, err := j.next(p.Entry, together)
		if err != nil {
			return err
		}
		if len(todo) == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-j.bell:
			case <-time.After(j.o.Probe):
				if p, err = j.where(ctx); err != nil {
					return err
				}
			}
			continue
		}
		switch to, err := j.write(ctx, p, todo); {
		case err == nil:
			p = to
		case together > 1 && tooMuch(err): // for this etcd
			together = 1
		default:
			return err
		}
	}
}

// tooMuch says that a part of a transaction may be taken where all of it was not.
func tooMuch(err error) bool {
	return errors.Is(err, rpctypes.ErrTooManyOps) || errors.Is(err, rpctypes.ErrRequestTooLarge)
}

// where is the place that etcd has, which is one that this file knows.
func (j *Journal) where(ctx context.Context) (place, error) {
	p, err := j.ask(ctx)
	if err != nil {
		return p, err
	}
	return j.reconcile(ctx, p)
}

// ask reads how far etcd is.
func (j *Journal) ask(ctx context.Context) (p place, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second) // or nobody would hear for what it waits
	defer cancel()
	r, err := j.etcd.Get(ctx, Journals+j.id)
	if err != nil {
		return p, outage{fmt.Errorf("etcd: %w", err)}
	}
	if len(r.Kvs) > 0 {
		if err := json.Unmarshal(r.Kvs[0].Value, &p); err != nil {
			return p, fmt.Errorf("%w: %s%s: %w", ErrElsewhere, Journals, j.id, err)
		}
		p.mod = r.Kvs[0].ModRevision
	}
	p.revision = r.Header.Revision
	return p, nil
}

// reconcile makes sure that etcd's place is one that this file knows.
func (j *Journal) reconcile(ctx context.Context, p place) (place, error) {
	j.mu.Lock()
	accepted, written := j.accepted, j.written
	j.mu.Unlock()
	text, err := j.at(p.Entry)
	if err != nil {
		return p, err
	}
	wrong := ""
	switch {
	case p.Entry < written:
		wrong = fmt.Sprintf("entries %d to %d are in etcd no more", p.Entry+1, written)
	case p.Entry > accepted:
		wrong = fmt.Sprintf("etcd has entry %d, and the file's last is %d", p.Entry, accepted)
	case text != nil && sum(text) != p.Sum:
		wrong = fmt.Sprintf("etcd has another entry %d", p.Entry)
	default:
		return p, nil
	}
	if !j.o.Adopt {
		return p, fmt.Errorf("%w: %s. Once it is known why, adopt, and write anew what may be lost", ErrElsewhere, wrong)
	}
	return j.adopt(ctx, written)
}

// adopt begins anew under another name, with what etcd was not known to have.
func (j *Journal) adopt(ctx context.Context, written uint64) (place, error) {
	id := rand.Text()
	p, err := j.move(ctx, id, place{}, place{Entry: written})
	if err != nil {
		return p, err
	}
	err = j.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(about).Put(idKey, []byte(id)) })
	if err != nil {
		return p, fmt.Errorf("journal %s: %w", j.db.Path(), err)
	}
	j.id = id
	return p, nil
}

// sum tells entries apart.
func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:8])
}

// write puts entries and their place into etcd; neither, if it is not where it was any more.
func (j *Journal) write(ctx context.Context, p place, todo []entry) (place, error) {
	last := todo[len(todo)-1]
	var ops []clientv3.Op
	for _, e := range todo {
		for _, c := range e.changes {
			if c.Value == "" {
				ops = append(ops, clientv3.OpDelete(c.Key))
			} else {
				ops = append(ops, clientv3.OpPut(c.Key, c.Value))
			}
		}
	}
	to, err := j.move(ctx, j.id, p, place{Entry: last.seq, Sum: sum(last.text)}, ops...)
	if err != nil {
		return p, fmt.Errorf("entry %d (%.200s): %w", todo[0].seq, todo[0].changes[0].Key, err)
	}
	return to, nil
}

func (j *Journal) move(ctx context.Context, id string, p, to place, ops ...clientv3.Op) (place, error) {
	text, err := json.Marshal(to)
	if err != nil {
		return p, err
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	r, err := j.etcd.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(Journals+id), "=", p.mod)).
		Then(append(ops, clientv3.OpPut(Journals+id, string(text)))...).
		Commit()
	if err != nil {
		return p, outage{fmt.Errorf("etcd: %w", err)}
	}
	if !r.Succeeded {
		return p, outage{errors.New("etcd: an answer was lost: looking where it is")}
	}
	to.mod, to.revision = r.Header.Revision, r.Header.Revision
	return to, nil
}

// reached notes that etcd has all up to a place: at once that it is written, and that it waits no
// more.
func (j *Journal) reached(p place) (err error) {
	gone, bytes := 0, 0
	if p.Entry > j.Status().Written {
		gone, bytes, err = j.forget(p.Entry)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.written, j.revision, j.lost = max(j.written, p.Entry), p.revision, nil
	j.waiting -= gone
	j.bytes -= bytes
	j.stir()
	return err
}
