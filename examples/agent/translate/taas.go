// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vppkit/vppkit/vppnet"
)

// Families of the keys of tap-as-a-service, below a host's, and of what it says of them.
const (
	TapServices = "taas_service/"
	TapFlows    = "taas_flow/"
)

// Taps is the prefix of what hosts say of their tap services and flows, each below its name;
// TapTargets that of the services whose copies leave the cloud.
const (
	Taps       = Root + "state_taas/"
	TapTargets = Root + "global/taas_service/"
)

// TapState is the key at which a host says how a service or a flow stands.
func TapState(host, name string) string { return Taps + host + "/" + name }

// TapService is a port that gets copies of what passes others.
type TapService struct {
	Number  uint32     // of the VLAN or VNI by which copies come from other hosts
	Port    string     // UUID
	Decoder netip.Addr // whom they are sent to by ERSPAN, which the port decodes itself; zero: they come as they are
	Value   json.RawMessage
}

// TapFlow copies what passes a port to a service.
type TapFlow struct {
	Service    string // UUID
	Source     string // UUID of a port
	NoRx, NoTx bool   // of what comes from the port, and of what goes to it
	From, To   string // hosts of source and service; To is "" if the copies leave the cloud
	Number     uint32 // as the service's; 0 if the copies leave the cloud
	Session    uint16 // of ERSPAN, if they do, or the port decodes it itself

	Decodes bool       // the service's port, which has this MAC
	MAC     vppnet.MAC // zero: the flow does not say
	Value   json.RawMessage
}

// destination is where copies go to.
type destination string

const (
	toPort     destination = "Port"
	toOutside  destination = "ERSPAN_EXT"
	toPortByIP destination = "ERSPAN_INT"
)

func (d *destination) read(f fields) error {
	*d = toPort // as long as there was nothing else
	if err := read(f, "dest_type", d); err != nil {
		return err
	}
	switch *d {
	case toPort, toOutside, toPortByIP:
		return nil
	}
	return fmt.Errorf("dest_type: %.40q is unknown", *d)
}

// tapped reads a key's value and one object in it. The error is final until the value changes.
func tapped(name, member string, value []byte) (f, of fields, err error) {
	if !uuid.MatchString(name) {
		return nil, nil, errors.New("the key's name is not a UUID")
	}
	if f, err = parse(value, maxPort); err != nil {
		return nil, nil, err
	}
	var raw json.RawMessage
	if err = need(f, member, &raw); err != nil {
		return nil, nil, err
	}
	if of, err = parse(raw, maxPort); err != nil {
		err = fmt.Errorf("%s: %w", member, err)
	}
	return f, of, err
}

// tapNumber reads a taas_id.
func tapNumber(f fields) (uint32, error) {
	var n int64
	if err := need(f, "taas_id", &n); err != nil {
		return 0, err
	}
	if n < 1 || n > maxVNI {
		return 0, fmt.Errorf("taas_id: %d is neither a VLAN nor a VNI", n)
	}
	return uint32(n), nil
}

// tapPort reads a port's, or a service's, UUID.
func tapUUID(f fields, member string) (id string, err error) {
	if err = need(f, member, &id); err == nil && !uuid.MatchString(id) {
		err = fmt.Errorf("%s: %.40q is not a UUID", member, id)
	}
	return id, err
}

// TapService reads the key of a service: its name below TapServices, and its value.
func (s Site) TapService(name string, value []byte) (t TapService, err error) {
	f, of, err := tapped(name, "tap_service", value)
	if err != nil {
		return t, err
	}
	var to destination
	if err := to.read(f); err != nil {
		return t, err
	}
	if to == toOutside {
		return t, errors.New("dest_type: copies that leave the cloud go to no host")
	}
	if t.Number, err = tapNumber(f); err != nil {
		return t, err
	}
	if to == toPortByIP {
		if t.Decoder, err = decoder(of); err != nil {
			return t, err
		}
	}
	t.Port, err = tapUUID(of, "port_id")
	t.Value = value
	return t, err
}

// TapFlow reads the key of a flow: its name below TapFlows, and its value. It is written for the
// host of the source, and for that of the service.
func (s Site) TapFlow(name string, value []byte) (t TapFlow, err error) {
	f, of, err := tapped(name, "tap_flow", value)
	if err != nil {
		return t, err
	}
	if t.Service, err = tapUUID(of, "tap_service_id"); err != nil {
		return t, err
	}
	if t.Source, err = tapUUID(of, "source_port"); err != nil {
		return t, err
	}
	var way string
	var to destination
	if err := errors.Join(need(of, "direction", &way), to.read(f), need(f, "tf_host", &t.From)); err != nil {
		return t, err
	}
	switch way {
	case "BOTH":
	case "IN":
		t.NoTx = true
	case "OUT":
		t.NoRx = true
	default:
		return t, fmt.Errorf("direction: %.40q is none of IN, OUT and BOTH", way)
	}
	t.Value = value
	if to != toPort {
		if t.Session, err = tapSession(of); err != nil {
			return t, err
		}
	}
	if t.Decodes = to == toPortByIP; t.Decodes {
		var mac string
		if err := read(f, "ts_port_mac", &mac); err != nil {
			return t, err
		}
		t.MAC, _ = vppnet.ParseMAC(mac) // none: the service's host has to be this one
	}
	if to != toOutside {
		if err := need(f, "ts_host", &t.To); err != nil {
			return t, err
		}
		if t.Number, err = tapNumber(f); err != nil {
			return t, err
		}
	}
	for member, host := range map[string]string{"tf_host": t.From, "ts_host": t.To} {
		if !plain(host) && (member == "tf_host" || t.To != "") {
			return t, fmt.Errorf("%s: %.40q is no host", member, host)
		}
	}
	if t.From != s.Host && t.To != s.Host {
		return t, fmt.Errorf("tf_host, ts_host: it is of %s and %s, not of this host", t.From, t.To)
	}
	if t.From != s.Host && (t.To == "" || t.Decodes) { // and the service alone says what its host has to do
		return t, fmt.Errorf("tf_host: it is of %s, not of this host", t.From)
	}
	return t, nil
}

// tapSession reads the number of a session of ERSPAN.
func tapSession(f fields) (uint16, error) {
	var n int64
	if err := need(f, "erspan_session_id", &n); err != nil {
		return 0, err
	}
	if n < 0 || n > 1023 {
		return 0, fmt.Errorf("erspan_session_id: %d, want 0 to 1023", n)
	}
	return uint16(n), nil
}

// decoder reads the address of a service that gets ERSPAN.
func decoder(service fields) (netip.Addr, error) {
	var to string
	if err := need(service, "erspan_dst_ip", &to); err != nil {
		return netip.Addr{}, err
	}
	return otherHost("erspan_dst_ip", to)
}

// Elsewhere is the key at which another host, or the driver, says what the flow is to know; "":
// it needs nothing of others.
func (t TapFlow) Elsewhere(s Site, name string) string {
	switch {
	case t.To == "":
		return TapTargets + t.Service
	case t.From == t.To:
		return ""
	case t.From == s.Host:
		return TapState(t.To, TapServices+t.Service)
	}
	return TapState(t.From, TapFlows+name)
}

// tapTarget reads where copies leave the cloud to.
func tapTarget(value []byte) (netip.Addr, error) {
	f, err := parse(value, maxPort)
	if err != nil {
		return netip.Addr{}, err
	}
	var raw json.RawMessage
	if err := need(f, "tap_service", &raw); err != nil {
		return netip.Addr{}, err
	}
	if f, err = parse(raw, maxPort); err != nil {
		return netip.Addr{}, err
	}
	return decoder(f)
}

// otherHost reads an address of another host in the underlay.
func otherHost(member, text string) (netip.Addr, error) {
	a, err := address(text)
	if err != nil || !isOne(a) {
		return a, fmt.Errorf("%s: %.60q is no address of another host", member, text)
	}
	return a, nil
}
