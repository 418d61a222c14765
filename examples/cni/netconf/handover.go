// SPDX-License-Identifier: Apache-2.0

package netconf

import (
	"encoding/json"

	types100 "github.com/containernetworking/cni/pkg/types/100"
)

// HandOver is what the container is told of one interface: its end of the wire, and its
// addresses. It is the content of a file beside the socket, or an element of the list in the
// pod's annotation AnnotationData.
type HandOver struct {
	ContainerID string          `json:"containerId"`
	IfName      string          `json:"ifName"`
	Name        string          `json:"name"` // of the network
	Config      End             `json:"config"`
	IPResult    types100.Result `json:"ipResult"`
}

// The annotations of a pod that tell it of its interfaces, and where its volume of sockets is.
const (
	AnnotationData = "userspace/configuration-data"
	AnnotationDir  = "userspace/mapped-dir"
)

// MappedDir is where a container sees its sockets, if nothing else is said.
const MappedDir = "/var/lib/cni/usrspcni"

const handOverPrefix = "configData-"

// HandOverFile is the name of the file with the HandOver of an interface.
func HandOverFile(container, ifName string) string {
	return handOverPrefix + container + "-" + ifName + ".json"
}

// SocketFile is the name of the socket in the shared directory.
func (e End) SocketFile() string {
	if e.IfType == Memif {
		return e.Memif.SocketFile
	}
	return e.Vhost.SocketFile
}

// Listens says that the end makes the socket.
func (e End) Listens() bool {
	if e.IfType == Memif {
		return e.Memif.Listens()
	}
	return e.Vhost.Mode != Client
}

// WithSocketFile is e with this socket.
func (e End) WithSocketFile(name string) End {
	if e.IfType == Memif {
		e.Memif.SocketFile = name
	} else {
		e.Vhost.SocketFile = name
	}
	return e
}

// DeviceInfo is the same for Multus and its users, as the Network Plumbing Working Group's
// device information specification has it: the role is the container's.
type DeviceInfo struct {
	Type    string           `json:"type"`
	Version string           `json:"version"`
	Memif   *DeviceMemif     `json:"memif,omitempty"`
	Vhost   *DeviceVhostUser `json:"vhost-user,omitempty"`
}

// DeviceMemif is a memif of a DeviceInfo.
type DeviceMemif struct {
	Role string `json:"role,omitempty"`
	Path string `json:"path,omitempty"`
	Mode string `json:"mode,omitempty"`
}

// DeviceVhostUser is a vhost-user socket of a DeviceInfo.
type DeviceVhostUser struct {
	Mode string `json:"mode,omitempty"`
	Path string `json:"path,omitempty"`
}

// Device is the DeviceInfo of the container's end, whose socket has this path on the host.
func (e End) Device(socket string) []byte {
	role := Slave
	if e.Memif.Listens() {
		role = Master
	}
	d := DeviceInfo{Type: "memif", Version: "1.1.0", Memif: &DeviceMemif{Role: role, Path: socket, Mode: e.Memif.Mode}}
	if e.IfType == VhostUser {
		d = DeviceInfo{Type: "vhost-user", Version: "1.1.0", Vhost: &DeviceVhostUser{Mode: e.Vhost.Mode, Path: socket}}
	}
	out, _ := json.Marshal(d) // strings only
	return append(out, '\n')
}
