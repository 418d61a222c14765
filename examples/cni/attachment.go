// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/utils"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// Attachment is one interface of one container in one network.
type Attachment struct {
	Network, ContainerID, IfName string

	Conf   *netconf.Conf
	Socket string              // path of the socket on the host
	IPs    []types100.IPConfig // that IPAM gave it
}

// newAttachment is that of a configuration, in its directory on the host: "" for the one below
// the configuration's sharedDir.
func newAttachment(c *netconf.Conf, container, ifName, dir string) (*Attachment, error) {
	if err := utils.ValidateContainerID(container); err != nil {
		return nil, err
	}
	if err := utils.ValidateInterfaceName(ifName); err != nil {
		return nil, err
	}
	if err := netconf.CheckSocketFile(plain(ifName)); err != nil {
		return nil, types.NewError(types.ErrInvalidEnvironmentVariables, "CNI_IFNAME", err.Error())
	}
	if dir == "" {
		dir = filepath.Join(base(c), short(container))
	}
	a := &Attachment{Network: c.Name, ContainerID: container, IfName: ifName, Conf: c}
	file := c.Host.SocketFile()
	switch {
	case file != "":
	case c.Host.IfType == netconf.Memif:
		file = "memif-" + short(container) + "-" + fileName(ifName) + ".sock"
	default:
		file = short(container) + "-" + fileName(ifName)
	}
	a.Socket = filepath.Join(dir, file)
	return a, nil
}

// base is where the containers' directories are.
func base(c *netconf.Conf) string {
	switch {
	case c.SharedDir != "":
		return c.SharedDir
	case c.Host.Engine == netconf.OVS:
		return "/usr/local/var/run/openvswitch"
	}
	return "/var/run/vpp"
}

// Dir is the directory that the container sees.
func (a *Attachment) Dir() string { return filepath.Dir(a.Socket) }

// Name is what the attachment's interface is called in the data plane: it tells the reader
// interface and container, and GC the network. The whole of a container's ID does not fit.
func (a *Attachment) Name() string {
	id := a.ContainerID[:min(12, len(a.ContainerID))]
	return plain(a.IfName) + "." + id + "." + mark(a.Network) + digest(a.ContainerID+"/"+a.IfName, 12)
}

// HandOver is what the container is told.
func (a *Attachment) HandOver(r *types100.Result) *netconf.HandOver {
	return &netconf.HandOver{
		ContainerID: a.ContainerID, IfName: a.IfName, Name: a.Network, IPResult: *r,
		Config: a.Conf.Container.WithSocketFile(filepath.Base(a.Socket)),
	}
}

// HandOverFile is its file in the container's directory.
func (a *Attachment) HandOverFile() string {
	return netconf.HandOverFile(short(a.ContainerID), fileName(a.IfName))
}

// inNetwork says whether a name is that of an interface of this network.
func inNetwork(name, network string) bool {
	at := strings.LastIndexByte(name, '.')
	return at >= 0 && strings.HasPrefix(name[at+1:], mark(network)) && len(name) == at+1+8+12
}

// mark is what is in the names of all that belongs to a network.
func mark(network string) string { return digest(network, 8) }

func digest(text string, length int) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:length]
}

// drawn are IDs that runtimes draw at random, of which any part tells one from others: hexadecimal digits, or UUIDs
// (Nomad's have no version) but those that begin with the time, of versions 6 and 7.
var drawn = regexp.MustCompile(`^([0-9a-f]{32,}|[0-9a-f]{8}-[0-9a-f]{4}-([0-589a-f][0-9a-f]{3}-[0-9a-f]{4}|[67][0-9a-f]{3}-[0-7c-f][0-9a-f]{3})-[0-9a-f]{12})$`)

// short is the part of a container's ID that names files: 12 digits of those that were drawn at
// random. What is made otherwise may differ only at its end, and stands whole if that is not too long.
func short(container string) string {
	switch {
	case drawn.MatchString(container):
		return container[:12]
	case len(container) <= 32:
		return container
	}
	return digest(container, 12)
}

// fileName is the part of an interface's name in those of files. Names that differ only in what is not fit for
// one stay two.
func fileName(ifName string) string {
	name := plain(ifName)
	if name != ifName {
		name += "-" + digest(ifName, 6)
	}
	return name
}

// plain is an interface's name with what is fit for files and for VPP's names. Two may have one.
func plain(ifName string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("._-", r):
			return r
		}
		return '_'
	}, ifName)
}
