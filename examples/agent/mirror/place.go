// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	v3 "go.etcd.io/etcd/client/v3"
)

// place is how far a way is. It lies in the etcd v3, and so is of the same age as the
// keys, whatever backup that etcd is made from.
type place struct {
	Etcd     string `json:"etcd"`               // the mark of the etcd v2
	Index    uint64 `json:"index"`              // up to which it was taken from, or was written
	Looked   uint64 `json:"looked,omitempty"`   // down: the index at which looked was written in the etcd v2, at least
	Revision int64  `json:"revision,omitempty"` // up: up to which the etcd v3 was taken from
	Doubt    bool   `json:"doubt,omitempty"`    // up: the etcd v2 may have been written after Index

	key      string
	mod      int64 // at which it was written; 0: never
	revision int64 // of the etcd v3 when it was read
}

// place reads how far a way is.
func (m *Mirror) place(ctx context.Context, way string) (place, error) {
	p := place{key: Root + "/mirror/" + way}
	ctx, cancel := deadline(ctx)
	defer cancel()
	r, err := m.V3.Get(ctx, p.key)
	if err != nil {
		return p, fmt.Errorf("etcd v3: %w", err)
	}
	p.revision = r.Header.Revision
	for _, kv := range r.Kvs {
		p.mod = kv.ModRevision
		if err := json.Unmarshal(kv.Value, &p); err != nil { // as good as none
			p = place{key: p.key, mod: p.mod, revision: p.revision}
		}
	}
	return p, nil
}

// errMoved: another mirror went on meanwhile, or what was lost was done, or the etcd v3 has lost what it had.
var errMoved = errors.New("etcd v3: another mirror is at work, an answer was lost, or it was rolled back: looking again")

// still fails if a way is not at its place any more, or the etcd v3 not as far as was seen: it was rolled back, or is
// another, and a watch that goes on there tells nothing until its revisions are beyond those of before.
func (m *Mirror) still(ctx context.Context, p place, seen int64) error {
	now, err := m.place(ctx, path.Base(p.key))
	if err == nil && (now.mod != p.mod || now.revision < seen) {
		return errMoved
	}
	return err
}

// move writes, and that the way is at a place; neither, if it is not where it was any more.
func (m *Mirror) move(ctx context.Context, p *place, to place, ops ...v3.Op) error {
	to.key, to.mod, to.Looked = p.key, 0, cmp.Or(to.Looked, p.Looked)
	text, err := json.Marshal(to)
	if err != nil {
		return err
	}
	ctx, cancel := deadline(ctx)
	defer cancel()
	r, err := m.V3.Txn(ctx).
		If(v3.Compare(v3.ModRevision(p.key), "=", p.mod)).
		Then(append(ops, v3.OpPut(p.key, string(text)))...).
		Commit()
	if err != nil {
		return fmt.Errorf("etcd v3: %w", err)
	}
	if !r.Succeeded {
		return errMoved
	}
	to.mod = r.Header.Revision
	*p = to
	return nil
}
