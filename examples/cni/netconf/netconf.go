// SPDX-License-Identifier: Apache-2.0

// Package netconf is what the Userspace CNI plugin is told, and what it tells the container:
// the network configuration, and the hand-over file. Both are of the format of
// intel/userspace-cni-network-plugin.
package netconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/utils"
)

// The words of a network configuration.
const (
	VPP       = "vpp"      // Engine
	OVS       = "ovs-dpdk" //
	Memif     = "memif"    // IfType
	VhostUser = "vhostuser"
	Bridge    = "bridge" // NetType
	Interface = "interface"
	None      = "none"
	Master    = "master" // Memif.Role
	Slave     = "slave"
	Ethernet  = "ethernet" // Memif.Mode
	IP        = "ip"
	Client    = "client" // Vhost.Mode
	Server    = "server"
)

// Conf is the network configuration. Keys are read without regard to case, so the older
// spellings (LogFile, kubeConfig) are these too. Keys that are not here are ignored.
type Conf struct {
	types.PluginConf

	KubeConfig string `json:"kubeconfig,omitempty"`
	SharedDir  string `json:"sharedDir,omitempty"` // of which each container has a directory
	LogFile    string `json:"logFile,omitempty"`
	LogLevel   string `json:"logLevel,omitempty"` // panic, error, warning, info, debug, verbose; "": warning

	VPPSocket string `json:"vppSocket,omitempty"` // VPP's API; "": as the environment says, or /run/vpp/api.sock
	OVSDB     string `json:"ovsdb,omitempty"`     // OVSDB, such as unix:/run/openvswitch/db.sock; "": that

	Host      End `json:"host"`
	Container End `json:"container"`

	RuntimeConfig Runtime `json:"runtimeConfig"`
}

// End is one end of the wire between host and container.
type End struct {
	Engine  string     `json:"engine,omitempty"`  // vpp or ovs-dpdk
	IfType  string     `json:"iftype,omitempty"`  // memif or vhostuser
	NetType string     `json:"netType,omitempty"` // bridge, interface, or none
	Memif   MemifEnd   `json:"memif"`
	Vhost   VhostEnd   `json:"vhost"`
	Bridge  BridgePort `json:"bridge"`
}

// MemifEnd is one end of a memif.
type MemifEnd struct {
	Role       string `json:"role,omitempty"`       // master or slave; or, the same, server or client
	Mode       string `json:"mode,omitempty"`       // ethernet or ip; "": ethernet
	SocketFile string `json:"socketfile,omitempty"` // a name without a path; "": made of container and interface
}

// Listens says that the end is the master, which makes the socket.
func (m MemifEnd) Listens() bool { return m.Role == Master || m.Role == Server }

// VhostEnd is one end of a vhost-user socket.
type VhostEnd struct {
	Mode       string `json:"mode,omitempty"`       // client or server; "": server
	Group      string `json:"group,omitempty"`      // that may use the socket
	SocketFile string `json:"socketfile,omitempty"` // as that of memif
}

// BridgePort says which bridge.
type BridgePort struct {
	BridgeName string `json:"bridgeName,omitempty"` // for VPP, a number is that of the bridge domain
	BridgeID   uint32 `json:"bridgeId,omitempty"`   // the same, older
	VLAN       uint16 `json:"vlanId,omitempty"`     // 0: none
}

// Parse reads a network configuration, and fills in what it leaves to defaults. Its errors are
// those of the CNI specification: 6 for what is no configuration at all, 7 for one that cannot be.
func Parse(data []byte) (*Conf, error) {
	var c Conf
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "network configuration cannot be read", where(data, err))
	}
	if err := c.complete(); err != nil {
		return nil, types.NewError(types.ErrInvalidNetworkConfig, fmt.Sprintf("network configuration %q", c.Name), err.Error())
	}
	return &c, nil
}

// where says in which line of the text an error is.
func where(data []byte, err error) string {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	at := int64(-1)
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &typed):
		at = typed.Offset
	}
	if at < 0 || at > int64(len(data)) {
		return err.Error()
	}
	return fmt.Sprintf("line %d: %v", 1+strings.Count(string(data[:at]), "\n"), err)
}

func (c *Conf) complete() error {
	if err := utils.ValidateNetworkName(c.Name); err != nil {
		return err
	}
	for _, p := range []struct{ key, path string }{
		{"sharedDir", c.SharedDir}, {"vppSocket", c.VPPSocket}, {"logFile", c.LogFile}, {"CNIDeviceInfoFile", c.RuntimeConfig.CNIDeviceInfoFile},
	} {
		if p.path != "" && (!path.IsAbs(p.path) || strings.ContainsRune(p.path, 0)) {
			return fmt.Errorf("%s is %q, want an absolute path", p.key, p.path)
		}
	}
	if c.SharedDir != "" {
		c.SharedDir = path.Clean(c.SharedDir)
	}
	if err := oneOf("logLevel", c.LogLevel, "", "panic", "error", "warning", "info", "debug", "verbose"); err != nil {
		return err
	}
	if err := c.Host.check("host"); err != nil {
		return err
	}
	c.Container = c.Container.opposite(c.Host)
	return c.Container.check("container")
}

// check fills in what an end leaves to defaults, and says what cannot be.
func (e *End) check(key string) error {
	at := func(name string) string { return key + "." + name }
	if err := oneOf(at("engine"), e.Engine, VPP, OVS); err != nil {
		return err
	}
	if err := oneOf(at("iftype"), e.IfType, Memif, VhostUser); err != nil {
		return err
	}
	host := key == "host"
	switch {
	case host && e.Engine == OVS && e.IfType == Memif:
		return fmt.Errorf("%s is memif, which ovs-dpdk has not: want vhostuser", at("iftype"))
	case e.NetType == "" && e.Engine == OVS:
		e.NetType = Bridge
	}
	if err := oneOf(at("netType"), e.NetType, Bridge, Interface, None); err != nil {
		return err
	}
	if e.IfType == Memif {
		if e.Memif.Mode == "" {
			e.Memif.Mode = Ethernet
		}
		if e.Memif.Mode == "inject-punt" {
			return fmt.Errorf("%s is inject-punt, which kills VPP: want ethernet or ip", at("memif.mode"))
		}
		if err := oneOf(at("memif.mode"), e.Memif.Mode, Ethernet, IP); err != nil {
			return err
		}
		if err := oneOf(at("memif.role"), e.Memif.Role, Master, Slave, Server, Client); err != nil {
			return err
		}
		if e.Memif.Mode == IP && e.NetType == Bridge {
			return fmt.Errorf("%s is ip, and a bridge carries Ethernet: want ethernet, or netType interface", at("memif.mode"))
		}
	} else {
		if e.Vhost.Mode == "" {
			e.Vhost.Mode = Server
		}
		if err := oneOf(at("vhost.mode"), e.Vhost.Mode, Client, Server); err != nil {
			return err
		}
	}
	for _, name := range []string{e.Memif.SocketFile, e.Vhost.SocketFile} {
		if err := CheckSocketFile(name); err != nil {
			return fmt.Errorf("%s: %w", at("socketfile"), err)
		}
	}
	return e.Bridge.check(at("bridge"), host && e.NetType == Bridge && e.Engine == VPP)
}

// opposite fills in what the container's end leaves to the host's.
func (e End) opposite(host End) End {
	def := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	def(&e.Engine, host.Engine)
	e.IfType = host.IfType // a wire has one type
	def(&e.NetType, Interface)
	if e.IfType == Memif {
		if host.Memif.Listens() {
			def(&e.Memif.Role, Slave)
		}
		def(&e.Memif.Role, Master)
		def(&e.Memif.Mode, host.Memif.Mode)
	} else {
		if host.Vhost.Mode == Client {
			def(&e.Vhost.Mode, Server)
		}
		def(&e.Vhost.Mode, Client)
	}
	return e
}

func (b BridgePort) check(key string, want bool) error {
	switch {
	case want && b.BridgeName == "" && b.BridgeID == 0:
		return fmt.Errorf("%s: want a bridgeName, or a bridgeId of 1 to %d", key, maxBridge)
	case b.BridgeID > maxBridge:
		return fmt.Errorf("%s.bridgeId is %d, want at most %d", key, b.BridgeID, maxBridge)
	case b.VLAN > 4094:
		return fmt.Errorf("%s.vlanId is %d, want 1 to 4094, or 0 for none", key, b.VLAN)
	case b.BridgeName == "":
		return nil
	}
	if n, err := strconv.ParseUint(b.BridgeName, 10, 64); err == nil && (n == 0 || n > maxBridge) {
		return fmt.Errorf("%s.bridgeName is %q, a number has to be from 1 to %d", key, b.BridgeName, maxBridge)
	}
	if len(b.BridgeName) > 32 || strings.ContainsFunc(b.BridgeName, func(r rune) bool { return !nameChar(r) }) {
		return fmt.Errorf("%s.bridgeName is %q, want up to 32 letters, digits or ._-", key, b.BridgeName)
	}
	return nil
}

const maxBridge = 1<<24 - 1

// ID is the number of the bridge, if it has one: of two, that in the name counts.
func (b BridgePort) ID() uint32 {
	if n, err := strconv.ParseUint(b.BridgeName, 10, 32); err == nil {
		return uint32(n)
	}
	if b.BridgeName == "" {
		return b.BridgeID
	}
	return 0
}

// CheckSocketFile reports why name cannot be that of a socket in a directory that is shared
// with a container. "" is no name, and no error.
func CheckSocketFile(name string) error {
	switch {
	case strings.ContainsFunc(name, func(r rune) bool { return !nameChar(r) }):
		return fmt.Errorf("%q: want a name of letters, digits or ._-, without a path", name)
	case strings.HasPrefix(name, "."), len(name) > 64:
		return fmt.Errorf("%q: want at most 64 bytes, and no dot before them", name)
	case strings.HasPrefix(name, handOverPrefix):
		return fmt.Errorf("%q is the name of a hand-over file", name)
	}
	return nil
}

func nameChar(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r)
}

func oneOf(key, value string, words ...string) error {
	var want []string
	for _, w := range words {
		if w == value {
			return nil
		}
		if w != "" {
			want = append(want, w)
		}
	}
	if value == "" {
		return fmt.Errorf("%s is missing, want %s", key, strings.Join(want, " or "))
	}
	return fmt.Errorf("%s is %q, want %s", key, value, strings.Join(want, " or "))
}
