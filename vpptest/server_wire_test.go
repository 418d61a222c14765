// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/codec"
)

// VPP executes what it can read, whoever asks, and answers to whom the request names.
func TestAnswersGoWhereTheRequestSays(t *testing.T) {
	vpp := New(t)
	a, b := client(t, vpp.Socket()), client(t, vpp.Socket())
	require.NotEqual(t, a.index, b.index)

	mine := a.index
	a.index = b.index
	frame, context, err := a.frame(nil, domain5(1))
	require.NoError(t, err)
	a.index = 12345
	nobody, _, err := a.frame(nil, domain5(2))
	require.NoError(t, err)
	a.index = mine
	_, err = a.conn.Write(append(frame, nobody...))
	require.NoError(t, err)

	m, got, err := b.receive(time.Second)
	require.NoError(t, err)
	require.Equal(t, &l2.BridgeDomainAddDelV2Reply{BdID: 1}, m)
	require.Equal(t, context, got)
	answers, _, err := a.ask()
	require.NoError(t, err)
	require.Empty(t, answers)
	require.Contains(t, vpp.String(), "bridge-domain 2 ")
}

func TestWhatIsNotAnswered(t *testing.T) {
	w := client(t, New(t).Socket())
	unknown := make([]byte, 10)
	binary.BigEndian.PutUint16(unknown, 65000)
	binary.BigEndian.PutUint32(unknown[clientAt:], w.index)
	short, _, err := w.frame(nil, domain5(1))
	require.NoError(t, err)
	short = appendFrame(nil, short[headerSize:headerSize+12])
	for _, frame := range [][]byte{appendFrame(nil, unknown), short, appendFrame(nil, nil), appendFrame(nil, []byte{1})} {
		_, err = w.conn.Write(frame)
		require.NoError(t, err)
	}
	answers, _, err := w.ask()
	require.NoError(t, err)
	require.Empty(t, answers)
}

func TestSplitAndLongFrames(t *testing.T) {
	vpp := New(t)
	w := client(t, vpp.Socket())
	frame, _, err := w.frame(nil, domain5(1))
	require.NoError(t, err)
	long := appendFrame(nil, append(frame[headerSize:], "and more"...))
	for i := range long {
		_, err := w.conn.Write(long[i : i+1])
		require.NoError(t, err)
	}
	answers, _, err := w.ask()
	require.NoError(t, err)
	require.Len(t, answers, 1)
}

func TestSecondHandshakeAndGoodbye(t *testing.T) {
	w := client(t, New(t).Socket())
	index := w.index
	require.NoError(t, w.handshake())
	require.Equal(t, index, w.index)

	frame, _, err := w.frame(nil, &memclnt.SockclntDelete{Index: index})
	require.NoError(t, err)
	_, err = w.conn.Write(frame)
	require.NoError(t, err)
	m, _, err := w.receive(time.Second)
	require.NoError(t, err)
	require.Equal(t, &memclnt.SockclntDeleteReply{Response: 1}, m)
	_, err = w.next(time.Second)
	require.Error(t, err)
}

func FuzzReadFrame(f *testing.F) {
	f.Add(appendFrame(nil, []byte("hello")))
	f.Add(appendFrame(appendFrame(nil, nil), []byte{1}))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		var again []byte
		for {
			_ = another(r)
			msg, err := readFrame(r)
			if err != nil {
				break
			}
			again = appendFrame(again, msg)
		}
		if len(again) > len(data) {
			t.Fatal("more came out than went in")
		}
	})
}

// No message, however broken, may harm a VPP that others use.
func FuzzExecute(f *testing.F) {
	vpp, err := Start()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = vpp.Close() })
	l := vpp.life
	for _, m := range []api.Message{&l2.BridgeDomainAddDelV2{}, &interfaces_api.SwInterfaceDump{}, &interfaces_api.CreateSubif{}} {
		msg, err := codec.EncodeMsg(m, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.GetMessageName(), msg)
	}
	f.Fuzz(func(t *testing.T, name string, msg []byte) {
		if len(msg) < requestHead || strings.HasPrefix(name, "sockclnt") {
			return
		}
		for full, id := range l.table.ids {
			if known, _ := cutCRC(full); known == name {
				binary.BigEndian.PutUint16(msg, id)
				vpp.execute(l, &peer{out: newOutbox()}, msg, true)
			}
		}
		_ = vpp.String()
	})
}
