// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/codec"
)

// Whatever messages come in whatever order, the in-memory VPP never panics: it answers,
// dies as VPP does, or says what it does not imitate.
func FuzzMessages(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		seed := make([]byte, 8<<10)
		for i := range seed {
			seed[i] = byte(r.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Start()
		require.NoError(t, err)
		defer func() { _ = v.Close() }()
		tape := &tape{data: data}
		g := &generator{Rand: rand.New(tape), junk: 0.05}
		kinds := handled(v.life)
		for len(tape.data) > 0 {
			if v.Died() != "" {
				require.NoError(t, v.Restart())
			}
			m := g.make(pickOf(g, kinds))
			msg, err := codec.EncodeMsg(m, v.life.table.ids[crcName(m)])
			if err != nil {
				continue // too long for its field
			}
			binary.BigEndian.PutUint32(msg[clientAt:], socketClient)
			v.execute(v.life, &peer{out: newOutbox()}, msg, true)
		}
		_ = v.String()
	})
}

// handled are the messages that are taught, in a fixed order, but for those that a
// fuzzer has nothing to say with.
func handled(l *life) (all []api.Message) {
	for id := range l.handlers {
		e := l.table.entries[id]
		if m, ok := bindings()[e.name+"_"+e.crc]; ok && moduleOf(m) != moduleOf(memclntIDs[0]) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b api.Message) int {
		if crcName(a) < crcName(b) {
			return -1
		}
		return 1
	})
	return all
}

// A tape is what chance says, written down: each byte is a number. Behind its end numbers
// are as good as any.
type tape struct {
	data []byte
	rest rand.PCG
}

func (t *tape) Uint64() uint64 {
	if len(t.data) == 0 {
		return t.rest.Uint64()
	}
	b := t.data[0]
	t.data = t.data[1:]
	return uint64(b) * 0x0101010101010101
}
