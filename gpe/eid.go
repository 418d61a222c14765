// SPDX-License-Identifier: Apache-2.0

package gpe

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/lisp_types"

	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// EID says who is somewhere: a MAC, in a VNI of a bridge domain, or a prefix, in one of a
// table. In JSON it is a string: "02:00:5e:10:00:01", "10.0.0.0/24".
type EID struct {
	MAC    vppnet.MAC
	Prefix netip.Prefix // if there is no MAC
}

// MACEID is the EID of a MAC.
func MACEID(m vppnet.MAC) EID { return EID{MAC: m} }

// PrefixEID is the EID of all addresses of a prefix.
func PrefixEID(p netip.Prefix) EID { return EID{Prefix: p} }

// String returns the MAC or the prefix.
func (e EID) String() string {
	var text [longest]byte
	out, _ := e.AppendText(text[:0])
	return string(out)
}

// longest is as much as an EID's text needs, and a VNI before it.
const longest = len("16777215-") + len("2001:0db8:0000:0000:0000:0000:0000:0001/128")

// AppendText appends String.
func (e EID) AppendText(b []byte) ([]byte, error) {
	switch {
	case !e.MAC.IsZero():
		return e.MAC.AppendText(b)
	case e.Prefix.IsValid():
		return e.Prefix.AppendTo(b), nil
	}
	return b, nil
}

// MarshalText is String.
func (e EID) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what String writes.
func (e *EID) UnmarshalText(b []byte) (err error) {
	*e = EID{}
	switch {
	case len(b) == 0:
	case strings.Contains(string(b), "/"):
		e.Prefix, err = netip.ParsePrefix(string(b))
	default:
		e.MAC, err = vppnet.ParseMAC(string(b))
	}
	return err
}

func (e EID) isZero() bool { return e == EID{} }

// check wants one of the two, and no bits behind the prefix.
func (e EID) check() error {
	switch {
	case !e.MAC.IsZero() && e.Prefix.IsValid():
		return fmt.Errorf("EID has a MAC, %s, and a prefix, %s: want one", e.MAC, e.Prefix)
	case !e.MAC.IsZero():
		return e.MAC.CheckUnicast()
	case !e.Prefix.IsValid():
		return errors.New("EID has no MAC, and no prefix")
	case e.Prefix != e.Prefix.Masked() || e.Prefix.Addr().Is4In6():
		return fmt.Errorf("prefix %s, want %s", e.Prefix, e.Prefix.Masked())
	}
	return nil
}

func (e EID) wire() lisp_types.Eid {
	if !e.MAC.IsZero() {
		return lisp_types.Eid{Type: lisp_types.EID_TYPE_API_MAC, Address: lisp_types.EidAddressUnionMac(ethernet_types.MacAddress(e.MAC))}
	}
	return lisp_types.Eid{Type: lisp_types.EID_TYPE_API_PREFIX, Address: lisp_types.EidAddressUnionPrefix(inet.Prefix(e.Prefix))}
}

// readEID is the inverse of wire; false for what no EID describes.
func readEID(e lisp_types.Eid) (EID, bool) {
	switch e.Type {
	case lisp_types.EID_TYPE_API_MAC:
		return EID{MAC: vppnet.MAC(e.Address.GetMac())}, true
	case lisp_types.EID_TYPE_API_PREFIX:
		return EID{Prefix: inet.ReadPrefix(e.Address.GetPrefix())}, true
	}
	return EID{}, false
}
