// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/codec"
)

// NewTap listens in between clients and the VPP at a socket, which may be a Proxy, and
// returns the socket for the clients; it ends with the test. heard is called with every
// message that bindings know, before it goes on: requests, and their answers by the same
// context. The order is that in which they pass; of several clients it is called at the
// same time.
func NewTap(t testing.TB, upstream string, heard func(context uint32, m api.Message)) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "vpptest") // short: a socket's path is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "api.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			vpp, err := net.Dial("unix", upstream)
			if err != nil {
				_ = client.Close()
				continue
			}
			mu.Lock()
			open[client], open[vpp] = true, true
			mu.Unlock()
			x := &tap{heard: heard}
			carry := func(from, to net.Conn, at int) {
				x.carry(from, to, at)
				_ = from.Close()
				_ = to.Close()
				mu.Lock()
				delete(open, from)
				mu.Unlock()
			}
			running.Go(func() { carry(client, vpp, requestContextAt) })
			running.Go(func() { carry(vpp, client, replyContextAt) })
		}
	})
	return socket
}

// tap is one connection.
type tap struct {
	heard func(uint32, api.Message)
	mu    sync.Mutex
	names map[uint16]string
}

// carry takes messages, with their context at a place, until either side ends.
func (x *tap) carry(from io.Reader, to io.Writer, at int) {
	r := bufio.NewReader(from)
	for {
		msg, err := readFrame(r)
		if err != nil {
			return
		}
		x.tell(msg, at)
		if _, err := to.Write(appendFrame(nil, msg)); err != nil {
			return
		}
	}
}

func (x *tap) tell(msg []byte, at int) {
	if len(msg) < at+4 {
		return
	}
	id := binary.BigEndian.Uint16(msg)
	x.mu.Lock()
	var table memclnt.SockclntCreateReply
	if x.names == nil && id == sockclntCreateID+1 && codec.DecodeMsg(msg, &table) == nil {
		_, x.names = learnTable(table.MessageTable)
	}
	known, ok := bindings()[x.names[id]]
	x.mu.Unlock()
	if !ok || known.GetMessageType() == api.EventMessage {
		return
	}
	m := reflect.New(reflect.TypeOf(known).Elem()).Interface().(api.Message)
	if codec.DecodeMsg(msg, m) == nil {
		x.heard(binary.BigEndian.Uint32(msg[at:]), m)
	}
}
