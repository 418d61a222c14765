// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
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
		d := &drawer{data: data}
		kinds := handled(v.life)
		for len(d.data) > 0 {
			if v.Died() != "" {
				require.NoError(t, v.Restart())
			}
			m := newMessage(kinds[d.draw(len(kinds))])
			d.fill(reflect.ValueOf(m).Elem())
			msg, err := codec.EncodeMsg(m, v.life.table.ids[crcName(m)])
			require.NoError(t, err)
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

// A drawer makes messages of bytes.
type drawer struct{ data []byte }

func (d *drawer) draw(n int) int {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return int(b) % n
}

// What numbers are mostly: indices and ids that are there, and those that never are.
var numbers = []uint64{0, 1, 1, 1, 2, 2, 3, 4, 5, 8, 10, 11, 24, 32, 33, 64, 128, 129, 255, 4095, 5000, none, none, 1 << 31}

func (d *drawer) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			d.fill(v.Field(i))
		}
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			like := [][]byte{{}, {10, 0, 0, 1}, {10, 0, 0, 2}, {192, 0, 2, 1}, {0x20, 1, 0xd, 0xb8, 15: 1}, {0xfe, 0x80, 15: 5}, {255, 255, 255, 255}, {2, 0, 0, 0, 0, 1}}
			reflect.Copy(v, reflect.ValueOf(like[d.draw(len(like))]))
			return
		}
		for i := range v.Len() {
			d.fill(v.Index(i))
		}
	case reflect.Slice:
		n := d.draw(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			d.fill(v.Index(i))
		}
	case reflect.String:
		v.SetString([]string{"", "a", "me/one", "vt0", "/run/a.sock", "loop0"}[d.draw(6)])
	case reflect.Bool:
		v.SetBool(d.draw(2) == 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(numbers[d.draw(len(numbers))] & (1<<v.Type().Bits() - 1))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(d.draw(8)))
	}
}
