// SPDX-License-Identifier: Apache-2.0

package snoop

import (
	"errors"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// mostFrame is how long a frame can be.
const mostFrame = 1 << 16

// Writer keeps frames as a pcap, with nanoseconds, or as a pcapng file.
type Writer struct {
	write func(gopacket.CaptureInfo, []byte) error
	flush func() error
}

// NewWriter begins such a file.
func NewWriter(to io.Writer, ng bool) (*Writer, error) {
	if ng {
		w, err := pcapgo.NewNgWriter(to, layers.LinkTypeEthernet)
		if err != nil {
			return nil, err
		}
		return &Writer{w.WritePacket, w.Flush}, nil
	}
	w := pcapgo.NewWriterNanos(to)
	return &Writer{w.WritePacket, func() error { return nil }}, w.WriteFileHeader(mostFrame, layers.LinkTypeEthernet)
}

// Write adds a frame that was seen then.
func (w *Writer) Write(at time.Time, frame []byte) error {
	frame = frame[:min(len(frame), mostFrame)]
	return w.write(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(frame), Length: len(frame)}, frame)
}

// Flush writes all that was added.
func (w *Writer) Flush() error { return w.flush() }

// Read calls do for each frame of a pcap, until it fails or there are no more.
func Read(from io.Reader, do func(at time.Time, frame []byte) error) error {
	r, err := pcapgo.NewReader(from)
	if err != nil {
		return err
	}
	for {
		frame, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(info.Timestamp, frame)
		}
		if err != nil {
			return err
		}
	}
}
