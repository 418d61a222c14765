// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memif"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/internal/socketpath"
)

// Memif is one end of a wire of shared memory to another process. The zero value is a
// master, which listens, of Ethernet frames.
type Memif struct {
	Name   string
	Socket string // a MemifSocket's path, or "vpp:7" for one that is not ours; its other interfaces are of the same role
	ID     uint32 // both ends have the same, and no other on this socket of this VPP
	Slave  bool   // connects, and says how large the rings are
	IP     bool   // carries IP packets, not Ethernet frames
	MAC    MAC    // of VPP's end; zero: made of owner and name, see Conn.MAC

	// Secret of 1 to 23 bytes, printable and without spaces, that a slave must know to get
	// to a master; none: whoever comes is let in.
	Secret Secret

	// Of a slave only; 0: VPP's default.
	RxQueues   uint8  // 1
	TxQueues   uint8  // 1
	RingSize   uint32 // entries of a ring, a power of two up to 16384; 1024
	BufferSize uint16 // bytes of an entry's buffer; 2048
	NoZeroCopy bool   // buffers are copied, not shared
}

// Key is InterfaceKey(m.Name).
func (m Memif) Key() desiredstate.Key { return InterfaceKey(m.Name) }

// Deps lists the socket.
func (m Memif) Deps() []desiredstate.Key { return []desiredstate.Key{MemifSocketKey(m.Socket)} }

// Validate checks names, secret, MAC and rings.
func (m Memif) Validate() error {
	if err := (*Conn)(nil).CheckName(m.Name, m.options("o")...); err != nil {
		return err
	}
	if strings.HasPrefix(m.Socket, ofVPP) {
		if err := CheckRef("socket", m.Socket); err != nil {
			return err
		}
	} else if err := socketpath.Check(m.Socket); err != nil {
		return err
	}
	if err := m.Secret.check(maxMemifSecret); err != nil {
		return err
	}
	slaves := m.RxQueues != 0 || m.TxQueues != 0 || m.RingSize != 0 || m.BufferSize != 0 || m.NoZeroCopy
	switch {
	case !m.Slave && slaves:
		return errors.New("a master has its queues, rings and buffers from the slave: set them there")
	case bits.OnesCount32(m.RingSize) > 1 || m.RingSize == 1 || m.RingSize > 1<<14:
		return fmt.Errorf("ring size %d, want a power of two from 2 to %d", m.RingSize, 1<<14)
	case m.IP && !m.MAC.IsZero():
		return errors.New("an interface of IP packets has no MAC")
	}
	return m.MAC.CheckUnicast()
}

// options are kept in the tag: VPP shows what rings were agreed upon, once there is somebody
// to agree with, and of a secret nothing.
func (m Memif) options(owner string) (opts []string) {
	add := func(letter string, n uint64) {
		if n != 0 {
			opts = append(opts, letter+strconv.FormatUint(n, 10))
		}
	}
	add("q", uint64(m.RxQueues))
	add("t", uint64(m.TxQueues))
	add("r", uint64(m.RingSize))
	add("b", uint64(m.BufferSize))
	if sign := m.Secret.sign(owner, m.Name); sign != "" {
		opts = append(opts, "s"+sign)
	}
	return opts
}

// recall takes the options from the tag.
func (m *Memif) recall(opts []string) {
	for _, opt := range opts {
		if opt == "" {
			continue // none of ours
		}
		n, _ := strconv.ParseUint(opt[1:], 10, 32)
		switch opt[0] {
		case 'q':
			m.RxQueues = uint8(n)
		case 't':
			m.TxQueues = uint8(n)
		case 'r':
			m.RingSize = uint32(n)
		case 'b':
			m.BufferSize = uint16(n)
		case 's':
			m.Secret.mark = opt[1:]
		}
	}
}

// on is what one socket can have only once.
func (m Memif) on() desiredstate.Key {
	return desiredstate.Key{Space: "memif-id", Name: fmt.Sprint(m.Socket, " ", m.ID)}
}

// Memifs manages memif interfaces (memif_create_v2). The MAC changes in place, all else
// replaces. What VPP does not show of rings, buffers and queues is kept in the tag, and of the
// secret 16 bits, which tell that it is another.
//
// VPP refuses a slave beside a master on one socket. A socket on which it could not listen,
// because a file or another listener is there, or no directory, it would never listen on
// again, and it dies when the next interface there goes; so Create makes the socket anew when that happens, or may have
// happened to a process that died. Modes beyond Ethernet and IP kill
// VPP 25.10, and there is no way to ask for them.
func Memifs(c *Conn) *desiredstate.Kind[Memif] {
	k := memifs{c, memif.NewServiceClient(c), memifSockets{c, memif.NewServiceClient(c)}}
	kind := Tagged(c, &desiredstate.Kind[Memif]{
		Name:     deviceMemif,
		Requires: []desiredstate.AnyKind{memifEntries(c)},
		Messages: c.Uses(append(MACMessages(), &memif.MemifCreateV2{}, &memif.MemifDelete{}, &memif.MemifDump{},
			&memif.MemifSocketFilenameAddDelV2{})...),
		Dump:    k.dump,
		Foresee: k.foresee,
		Create: func(ctx context.Context, v *desiredstate.View, m Memif) (uint32, error) {
			if err := m.known(); err != nil {
				return 0, err
			}
			socket, err := v.ID(MemifSocketKey(m.Socket))
			if err != nil {
				return 0, err
			}
			return k.create(ctx, socket, m)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Memif], want Memif) error {
			return c.SetMAC(ctx, have.ID, c.pick(want.MAC, want.Name))
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Memif]) error {
			_, err := k.vpp.MemifDelete(ctx, &memif.MemifDelete{SwIfIndex: interface_types.InterfaceIndex(have.ID)})
			return Gone(err, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[Memif], want Memif) Memif {
			if !want.IP {
				want.MAC = c.fillMAC(have.Spec.MAC, want.MAC, have.Covered, want.Name)
			}
			if sign := have.Spec.Secret.mark; sign != "" && sign == want.Secret.sign(c.Owner(), want.Name) {
				want.Secret = have.Spec.Secret
			}
			return want
		},
		InPlace: func(have desiredstate.Actual[Memif], want Memif) bool {
			have.Spec.MAC = want.MAC
			return have.Spec == want
		},
		Holds: func(m Memif) []desiredstate.Key { return []desiredstate.Key{m.on()} },
	}, Orphan[Memif]{
		Mark: func(want Memif) string {
			if want.IP {
				return want.on().Name
			}
			return c.MAC(want.Name).String()
		},
		Marked: func(found Memif, _ Interface) (string, bool) {
			if found.IP {
				return found.on().Name, !strings.HasPrefix(found.Socket, ofVPP) // the socket is ours
			}
			return found.MAC.String(), c.Signed(found.MAC)
		},
		Options: func(want Memif) []string { return want.options(c.Owner()) },
	})
	create := kind.Create
	kind.Create = func(ctx context.Context, v *desiredstate.View, m Memif) (uint32, error) {
		id, err := create(ctx, v, m)
		if err == nil && !m.MAC.IsZero() { // it has its tag: the mark has done its work
			err = c.setMAC(ctx, id, m.MAC)
		}
		return id, err
	}
	return kind
}

const (
	deviceMemif    = "memif"
	maxMemifSecret = 23 // VPP keeps 24 bytes, of which the last is NUL
)

type memifs struct {
	c       *Conn
	vpp     memif.RPCService
	sockets memifSockets
}

func (k memifs) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Memif], err error) {
	all, err := Collect(k.vpp.MemifDump(ctx, &memif.MemifDump{}))
	for _, d := range all {
		i, ok := desiredstate.At[Interface](v, uint32(d.SwIfIndex))
		s, there := desiredstate.At[memifEntry](v, d.SocketID)
		if !ok || !there {
			continue // gone since
		}
		mac, hidden := i.Spec.OwnMAC()
		m := Memif{
			Name: i.Spec.Name, Socket: s.Spec.Key().Name, ID: d.ID, Slave: d.Role == memif.MEMIF_ROLE_API_SLAVE,
			IP: d.Mode == memif.MEMIF_MODE_API_IP, MAC: mac,
		}
		m.NoZeroCopy = m.Slave && !d.ZeroCopy
		m.recall(k.c.TagOptions(i.Spec.Tag))
		out = append(out, desiredstate.Actual[Memif]{ID: i.ID, Covered: hidden, Spec: m})
	}
	return out, err
}

// known refuses one that was found, and is to be made again.
func (m Memif) known() error {
	if err := m.Secret.check(maxMemifSecret); err != nil {
		return fmt.Errorf("%w: %w", desiredstate.ErrInvalid, err)
	}
	return nil
}

// foresee refuses another role than that of who is and stays on the socket.
func (k memifs) foresee(ctx context.Context, v *desiredstate.View, have uint32, m Memif) error {
	socket, err := v.ID(MemifSocketKey(m.Socket))
	if err = cmp.Or(m.known(), err); err != nil {
		return err
	}
	all, err := Collect(k.vpp.MemifDump(ctx, &memif.MemifDump{}))
	for _, d := range all {
		slave := d.Role == memif.MEMIF_ROLE_API_SLAVE
		if d.SocketID != socket || slave == m.Slave || uint32(d.SwIfIndex) == have {
			continue
		}
		name, there := v.Name(InterfaceKey("").Space, uint32(d.SwIfIndex))
		if !there {
			continue // it is made anew, too, and has gone since VPP told of it
		}
		if will, ok := v.Known(InterfaceKey(name)).(Memif); !ok || will.Socket == m.Socket && will.Slave == slave {
			return fmt.Errorf("%w: socket %s has an interface of the other role, with index %d: want all of one role there, or take another socket", desiredstate.ErrConflict, m.Socket, d.SwIfIndex)
		}
	}
	return err
}

func (k memifs) create(ctx context.Context, socket uint32, m Memif) (uint32, error) {
	req := &memif.MemifCreateV2{
		Role: memif.MEMIF_ROLE_API_MASTER, Mode: memif.MEMIF_MODE_API_ETHERNET, SocketID: socket, ID: m.ID,
		RxQueues: m.RxQueues, TxQueues: m.TxQueues, RingSize: m.RingSize, BufferSize: m.BufferSize, NoZeroCopy: m.NoZeroCopy,
		HwAddr: ethernet_types.MacAddress(k.c.MAC(m.Name)), Secret: m.Secret.Reveal(),
	}
	if m.Slave {
		req.Role = memif.MEMIF_ROLE_API_SLAVE
	}
	if m.IP {
		req.Mode = memif.MEMIF_MODE_API_IP
	}
	done, err := k.c.Turn(ctx, desiredstate.Key{Space: "memif-socket", Name: number(socket)}) // until VPP counts right again
	if err != nil {
		return 0, err
	}
	defer done()
	if err := k.sockets.sound(ctx, socket); err != nil {
		return 0, err
	}
	r, err := k.vpp.MemifCreateV2(ctx, req)
	switch {
	case errors.Is(err, api.SUBIF_ALREADY_EXISTS):
		return 0, fmt.Errorf("%w: socket %s has an interface of ID %d, or interfaces of the other role: want all of one role there, or take another socket: %w",
			desiredstate.ErrConflict, m.Socket, m.ID, err)
	case errors.Is(err, api.SYSCALL_ERROR_4):
		ctx, cancel := shared.Outlive(ctx)
		defer cancel()
		err = fmt.Errorf("VPP cannot listen on %s: want a directory that is there, and no other file or listener in it: %w", m.Socket, err)
		return 0, errors.Join(err, k.sockets.renew(ctx, socket))
	case err != nil:
		k.c.once.Delete(counted(socket)) // nobody knows what VPP answered
		return 0, err
	}
	return uint32(r.SwIfIndex), nil
}
