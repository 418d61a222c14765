// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memif"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/socketpath"
)

// MemifSocket is a socket on which memif interfaces meet their other ends. Its path is its
// name. VPP makes the file when the first master is there.
type MemifSocket struct {
	// Path is absolute, clean, of at most 107 bytes (96 if there is an ID), in the directory
	// that was given to MemifSockets.
	Path string

	// ID is the number that VPP knows it by, and that is in the names of its interfaces,
	// "memif7/1": 1 to 4294967294. 0: one that is made of owner and path.
	ID uint32

	theirs bool // it was found, is not ours, and so is called by its number
}

// MemifSocketKey is the key of a socket. One that is not ours is named by its number; VPP's
// own is "vpp:0".
func MemifSocketKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: memifSocketSpace, Name: name}
}

const memifSocketSpace = "memif-socket"

// SocketKey is the path of a unix socket, which only one thing of VPP can have, whatever it is for:
// who listens there last removes what others listen on. It is no object's; see
// desiredstate.Kind.Holds.
func SocketKey(path string) desiredstate.Key {
	return desiredstate.Key{Space: "unix-socket", Name: path}
}

// Key is MemifSocketKey(s.Path).
func (s MemifSocket) Key() desiredstate.Key {
	if s.theirs {
		return MemifSocketKey(Foreign(number(s.ID)))
	}
	return MemifSocketKey(s.Path)
}

// Deps is empty.
func (s MemifSocket) Deps() []desiredstate.Key { return nil }

// Validate checks the number, and all of the path but its directory.
func (s MemifSocket) Validate() error {
	switch room := maxSocketPath - len(surplus) - 10; {
	case s.ID == ^uint32(0):
		return fmt.Errorf("ID %d is VPP's word for none", s.ID)
	case s.ID != 0 && len(s.Path) > room:
		return fmt.Errorf("socket %q has %d bytes, with an ID want at most %d", s.Path, len(s.Path), room)
	}
	return socketpath.Check(s.Path)
}

const maxSocketPath = 107 // VPP shows no more of it

// MemifSockets manages sockets of memif (memif_socket_filename_add_del_v2) in one of dirs,
// absolute paths as VPP sees them. A socket that would be elsewhere, by its path or by a
// symbolic link on the way, is refused before VPP is told, and so is one where a file lies
// that is no socket. A directory that everybody can write to is refused; its owner and group are trusted. VPP's own socket
// has number 0, and can be referred to. All that changes replaces. A socket that somebody else's
// interface has is not removed (desiredstate.ErrInUse).
//
// VPP keeps a number and a path, and no tag, so the number is ours: it is made of owner and
// path. Of a socket that is to have another, a second entry of VPP says so, whose number is
// made like this of owner and path~ID; no interface ever has that one.
func MemifSockets(c *Conn, dirs ...string) *desiredstate.Kind[MemifSocket] {
	k := memifSockets{c, memif.NewServiceClient(c)}
	return &desiredstate.Kind[MemifSocket]{
		Target: c.Target(), Variant: strings.Join(dirs, "\x00"),
		Name:     "memif-socket",
		Requires: []desiredstate.AnyKind{memifEntries(c)},
		Messages: c.Uses(&memif.MemifSocketFilenameAddDelV2{}, &memif.MemifSocketFilenameDump{}),
		Dump: func(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[MemifSocket], err error) {
			for e := range desiredstate.All[memifEntry](v) {
				out = append(out, desiredstate.Actual[MemifSocket]{ID: e.ID, Spec: e.Spec.MemifSocket, Foreign: e.Foreign, Leftover: e.Leftover, Broken: e.Broken})
			}
			return out, nil
		},
		Create: func(ctx context.Context, _ *desiredstate.View, s MemifSocket) (uint32, error) {
			if err := socketpath.Confine(dirs, s.Path, true); err != nil {
				return 0, err
			}
			all, err := k.list(ctx) // VPP gives a path twice
			if err != nil {
				return 0, err
			}
			for id, path := range all {
				if path == s.Path {
					return 0, fmt.Errorf("%w: by now somebody has socket %s, with number %d", desiredstate.ErrForeign, s.Path, id)
				}
			}
			ids := []uint32{s.ID}
			if s.ID == 0 {
				ids = k.numbers(s.Path)
			} else if _, err := k.add(ctx, s.ledger(), k.numbers(s.ledger())...); err != nil {
				return 0, err
			}
			id, err := k.add(ctx, s.Path, ids...)
			if err == nil {
				k.c.once.Store(counted(id), true)
			}
			return id, err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[MemifSocket]) error {
			if err := k.remove(ctx, have.ID); err != nil {
				return err
			}
			all, err := k.list(ctx)
			for _, n := range k.numbers(have.Spec.ledger()) {
				if all[n] == have.Spec.ledger() {
					err = errors.Join(err, k.remove(ctx, n))
				}
			}
			return err
		},
		Fill: func(have desiredstate.Actual[MemifSocket], want MemifSocket) MemifSocket {
			if want.ID == 0 {
				want.ID = have.Spec.ID
			}
			return want
		},
		Holds: func(s MemifSocket) []desiredstate.Key {
			held := s.held()
			if of, ok := s.about(); ok {
				held = append(held, of.held()...)
			}
			return held
		},
	}
}

// held is what only one socket can have.
func (s MemifSocket) held() []desiredstate.Key {
	held := []desiredstate.Key{SocketKey(s.Path)}
	if s.ID != 0 {
		held = append(held, desiredstate.Key{Space: "memif-socket-id", Name: number(s.ID)})
	}
	return held
}

// ledger is the path of the entry that says that a number is ours.
func (s MemifSocket) ledger() string { return s.Path + surplus + number(s.ID) }

// about is the socket that such an entry is about, if it is one, whosever.
func (s MemifSocket) about() (MemifSocket, bool) {
	at := strings.LastIndex(s.Path, surplus)
	if at < 0 {
		return s, false
	}
	id, err := strconv.ParseUint(s.Path[at+len(surplus):], 10, 32)
	return MemifSocket{Path: s.Path[:at], ID: uint32(id)}, err == nil
}

// memifEntry is a socket as VPP lists it: a reading that MemifSockets and Memifs share.
type memifEntry struct{ MemifSocket }

// Validate always fails: a reading is found, not made.
func (memifEntry) Validate() error { return errors.New("a reading is found, not made") }

func memifEntries(c *Conn) *desiredstate.Kind[memifEntry] {
	k := memifSockets{c, memif.NewServiceClient(c)}
	return &desiredstate.Kind[memifEntry]{
		Target:   c.Target(),
		Name:     "memif-socket-read",
		Messages: c.Uses(&memif.MemifSocketFilenameDump{}),
		Verify:   k.verify,
		Dump: Reread(c, func(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[memifEntry], error) {
			return k.dump(ctx)
		}),
	}
}

type memifSockets struct {
	c   *Conn
	vpp memif.RPCService
}

// numbers are those that an entry of ours can have.
func (k memifSockets) numbers(path string) []uint32 {
	return k.c.Numbers(memifSocketSpace + "/" + path)
}

// ours says whether an entry has a number of ours.
func (k memifSockets) ours(id uint32, path string) bool { return slices.Contains(k.numbers(path), id) }

// add makes an entry with the first of these numbers that is free.
func (k memifSockets) add(ctx context.Context, path string, ids ...uint32) (id uint32, err error) {
	for _, id = range ids {
		_, err = k.vpp.MemifSocketFilenameAddDelV2(ctx, &memif.MemifSocketFilenameAddDelV2{IsAdd: true, SocketID: id, SocketFilename: path})
		if !errors.Is(err, api.ENTRY_ALREADY_EXISTS) {
			break
		}
	}
	return id, err
}

func (k memifSockets) remove(ctx context.Context, id uint32) error {
	_, err := k.vpp.MemifSocketFilenameAddDelV2(ctx, &memif.MemifSocketFilenameAddDelV2{SocketID: id})
	return Busy(Gone(err, api.INVALID_ARGUMENT), api.UNEXPECTED_INTF_STATE)
}

// counted is a socket of which VPP knows how many interfaces are on it. It counts one too few once it could not listen
// there, and does not say so; then the next interface seems to be made, and is deaf.
func counted(id uint32) desiredstate.Key {
	return desiredstate.Key{Space: "memif-socket-counted", Name: number(id)}
}

// sound makes an entry of ours anew that an earlier process made, and nobody is on: who died when VPP could not
// listen left it so.
func (k memifSockets) sound(ctx context.Context, id uint32) error {
	return k.c.Once(ctx, counted(id), func() error {
		on, err := Collect(k.vpp.MemifDump(ctx, &memif.MemifDump{}))
		if err != nil || slices.ContainsFunc(on, func(d *memif.MemifDetails) bool { return d.SocketID == id }) {
			return err
		}
		all, err := k.list(ctx)
		if s := (MemifSocket{Path: all[id], ID: id}); err != nil || !k.ours(id, s.Path) && !k.claimed(all)[s] {
			return err
		}
		return k.renew(ctx, id)
	})
}

// renew makes an entry that no interface has anew, as it was.
func (k memifSockets) renew(ctx context.Context, id uint32) error {
	all, err := k.list(ctx)
	if err != nil || all[id] == "" {
		return err
	}
	if err := k.remove(ctx, id); err != nil {
		return err
	}
	_, err = k.add(ctx, all[id], id)
	return err
}

// list is what VPP has, by number.
func (k memifSockets) list(ctx context.Context) (map[uint32]string, error) {
	all, err := Collect(k.vpp.MemifSocketFilenameDump(ctx, &memif.MemifSocketFilenameDump{}))
	out := make(map[uint32]string, len(all))
	for _, d := range all {
		out[d.SocketID] = strings.TrimRight(d.SocketFilename, "\x00")
	}
	return out, err
}

func (k memifSockets) dump(ctx context.Context) (out []desiredstate.Actual[memifEntry], err error) {
	all, err := k.list(ctx)
	if err != nil {
		return nil, err
	}
	claimed := k.claimed(all)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		s, mine := MemifSocket{Path: all[id], ID: id}, k.ours(id, all[id])
		broken := ""
		if of, ok := s.about(); ok && mine {
			if all[of.ID] == of.Path {
				continue
			}
			s, broken = of, "there is only what says that its number is ours"
		}
		s.theirs = !mine && !claimed[s]
		out = append(out, desiredstate.Actual[memifEntry]{ID: id, Spec: memifEntry{s}, Foreign: s.theirs, Broken: broken})
	}
	return out, nil
}

// claimed are the sockets of which an entry says that they are ours.
func (k memifSockets) claimed(all map[uint32]string) map[MemifSocket]bool {
	claimed := map[MemifSocket]bool{}
	for id, path := range all {
		if of, ok := (MemifSocket{Path: path}).about(); ok && k.ours(id, path) {
			claimed[of] = true
		}
	}
	return claimed
}

func (k memifSockets) verify(ctx context.Context, held []desiredstate.Held) ([]bool, error) {
	found, err := k.dump(ctx)
	at := make(map[uint32]string, len(found))
	for _, f := range found {
		at[f.ID] = f.Spec.Key().Name
	}
	same := make([]bool, len(held))
	for i, h := range held {
		same[i] = at[h.ID] == h.Key.Name
	}
	return same, err
}
