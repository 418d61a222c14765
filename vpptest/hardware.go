// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"strings"

	"go.fd.io/govpp/binapi/vlib"
)

// hardware is what the CLI shows of a device, in brief, or false: there is none of this name. Of devices
// that are not loopbacks VPP shows more.
func (s *interfaces) hardware(name string) (text string, ok bool) {
	s.devices.each(none, func(place uint32, i **iface) {
		if (*i).name == name {
			text, ok = hardwareLine("Name", 32, "Idx", "Link", "Hardware")+
				fmt.Sprintf("%-32s", name)+hardwareLine("", 0, fmt.Sprint(place), map[bool]string{true: "up", false: "down"}[(*i).link], name)+
				"  Link speed: unknown\n", true
		}
	})
	return text, ok
}

func hardwareLine(name string, width int, index, link, hardware string) string {
	return centred(name, width) + centred(index, 6) + centred(link, 8) + hardware + "\n"
}

// centred is text in the middle, and to the right of it if there is none.
func centred(text string, width int) string {
	left := (width - len(text) + 1) / 2
	return fmt.Sprintf("%*s%s%*s", max(0, left), "", text, max(0, width-len(text)-left), "")
}

// showHardware is the command of the CLI for one device, if it is that.
func (s *interfaces) showHardware(command string) *vlib.CliInbandReply {
	name, is := strings.CutPrefix(command, "show hardware-interfaces brief ")
	if !is {
		return nil
	}
	if text, ok := s.hardware(strings.TrimSpace(name)); ok {
		return &vlib.CliInbandReply{Reply: text}
	}
	return &vlib.CliInbandReply{Retval: unspecified, Reply: "show hardware-interfaces: unknown input `" + name + "'\n"}
}
