// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"regexp"
	"strconv"
	"strings"
)

// CapturedPacket is the way of one packet through VPP.
type CapturedPacket struct {
	Interface string // by which it entered, by name
	Steps     []CaptureStep

	// Dropped says in VPP's words why the packet went nowhere, and DroppedAt in which node
	// that was found: "acl-plugin-in-ip4-l2", "ACL deny packets". Empty: it was not dropped.
	Dropped, DroppedAt string
}

// CaptureStep is what one node saw of the packet: headers, decoded, and what it decided.
type CaptureStep struct {
	Time string // since VPP's start: "00:01:02:345678", the last part in microseconds
	Node string // "ethernet-input", "l2-output" …
	Text string // what VPP says, without its indentation; lines end with "\n", the last without
}

// String is the packet in as many lines as it has steps, and one more if it was dropped.
func (p CapturedPacket) String() string {
	var b strings.Builder
	b.WriteString("in by " + p.Interface + "\n")
	for _, s := range p.Steps {
		b.WriteString(s.Time + " " + s.Node)
		if s.Text != "" {
			b.WriteString(": " + strings.ReplaceAll(s.Text, "\n", "; "))
		}
		b.WriteByte('\n')
	}
	if p.Dropped != "" {
		b.WriteString("dropped by " + p.DroppedAt + ": " + p.Dropped + "\n")
	}
	return b.String()
}

// stepLine is how VPP begins the text of a node.
var stepLine = regexp.MustCompile(`^(\d\d:\d\d:\d\d:\d{6}): (\S+)$`)

// parsePacket reads the text that VPP has for a packet. Lines before the first node mean
// nothing.
func parsePacket(text string) (p CapturedPacket) {
	for line := range strings.Lines(strings.TrimRight(text, "\x00")) {
		line = strings.TrimRight(line, "\r\n")
		if m := stepLine.FindStringSubmatch(line); m != nil {
			p.Steps = append(p.Steps, CaptureStep{Time: m[1], Node: m[2]})
			continue
		}
		if line = strings.TrimSpace(line); line == "" || len(p.Steps) == 0 {
			continue
		}
		s := &p.Steps[len(p.Steps)-1]
		if s.Text != "" {
			s.Text += "\n"
		}
		s.Text += line
	}
	for _, s := range p.Steps {
		if s.Node == "drop" {
			p.DroppedAt, p.Dropped, _ = strings.Cut(s.Text, ": ")
		}
	}
	return p
}

// What the nodes of devices, and those behind them, say of an interface.
var (
	deviceNumber = regexp.MustCompile(`hw_if_index (\d+)`)
	subInterface = regexp.MustCompile(`sw_if_index (\d+)`)
)

// entered says whether the packet came in by a device.
func (p CapturedPacket) entered(device string, number uint32) bool {
	if len(p.Steps) == 0 {
		return false
	}
	text := p.Steps[0].Text
	if m := deviceNumber.FindStringSubmatch(text); m != nil {
		return m[1] == strconv.FormatUint(uint64(number), 10)
	}
	return strings.Contains(" "+strings.ReplaceAll(text, "\n", " ")+" ", " "+device+" ")
}

// mentions says whether a node on the way in has the packet from an interface.
func (p CapturedPacket) mentions(index uint32) bool {
	for _, s := range p.Steps {
		if strings.HasSuffix(s.Node, "-output") {
			return false // from here on it is about where the packet goes
		}
		if m := subInterface.FindStringSubmatch(s.Text); m != nil && m[1] == strconv.FormatUint(uint64(index), 10) {
			return true
		}
	}
	return false
}
