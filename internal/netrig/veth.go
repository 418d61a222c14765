// SPDX-License-Identifier: Apache-2.0

//go:build linux

package netrig

import (
	"fmt"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Veth joins two namespaces by a pair of devices, which are up and have no addresses
// but those that Linux makes for itself. Whoever sends writes the checksums: nobody
// behind such a device would, and VPP can but correct them.
func Veth(t testing.TB, a NetNS, deviceA string, b NetNS, deviceB string) {
	t.Helper()
	a.IP(t, "link", "add", "name", deviceA, "type", "veth", "peer", "name", deviceB, "netns", string(b))
	for ns, device := range map[NetNS]string{a: deviceA, b: deviceB} {
		ns.Do(t, func() error { return noOffload(device) })
		ns.IP(t, "link", "set", "dev", device, "up")
	}
}

// Host makes a namespace whose eth0 is joined to a device in VPP's, and has addresses.
func Host(t testing.TB, name string, vpp NetNS, device string, addresses ...string) NetNS {
	t.Helper()
	h := New(t, name)
	Veth(t, vpp, device, h, "eth0")
	h.Address(t, addresses...)
	return h
}

// Address gives prefixes to eth0, to be used at once.
func (n NetNS) Address(t testing.TB, prefixes ...string) {
	t.Helper()
	for _, text := range prefixes {
		p, err := netip.ParsePrefix(text)
		require.NoError(t, err)
		args := []string{"addr", "add", text, "dev", "eth0"}
		if p.Addr().Is6() {
			args = append(args, "nodad")
		}
		n.IP(t, args...)
	}
}

// Bridge makes a bridge, which forwards tagged frames as they are.
func (n NetNS) Bridge(t testing.TB, name string) {
	t.Helper()
	n.IP(t, "link", "add", "name", name, "type", "bridge", "mcast_snooping", "0")
	n.IP(t, "link", "set", "dev", name, "up")
}

// Plug makes a port of a bridge, whose other end is a device elsewhere.
func (n NetNS) Plug(t testing.TB, bridge, port string, other NetNS, device string) {
	t.Helper()
	Veth(t, n, port, other, device)
	n.IP(t, "link", "set", "dev", port, "master", bridge)
}

// noOffload makes Linux write checksums itself.
func noOffload(device string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	value := [2]uint32{unix.ETHTOOL_STXCSUM, 0}
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(request.name[:], device)
	request.data = unsafe.Pointer(&value)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return fmt.Errorf("checksums of %s: %w", device, errno)
	}
	return nil
}
