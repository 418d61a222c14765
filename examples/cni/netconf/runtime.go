// SPDX-License-Identifier: Apache-2.0

package netconf

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Runtime is what the runtime asks for, of the capabilities that the configuration declares.
type Runtime struct {
	CNIDeviceInfoFile string // to be written for Multus
	DNS               *RuntimeDNS

	asked map[string]json.RawMessage
}

// RuntimeDNS is what the container's resolver is to know.
type RuntimeDNS struct {
	Servers  []string `json:"servers"`
	Searches []string `json:"searches"`
	Options  []string `json:"options"`
}

// UnmarshalJSON also remembers what there is no field for.
func (r *Runtime) UnmarshalJSON(data []byte) error {
	var fields struct {
		CNIDeviceInfoFile string      `json:"CNIDeviceInfoFile"`
		DNS               *RuntimeDNS `json:"dns"`
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	r.CNIDeviceInfoFile, r.DNS = fields.CNIDeviceInfoFile, fields.DNS
	return json.Unmarshal(data, &r.asked)
}

// Unserved names what the runtime asks for and nobody would do. ADD is refused for its sake; an attachment
// that is there goes all the same.
func (c *Conf) Unserved() error {
	var not []string
	for _, key := range slices.Sorted(maps.Keys(c.RuntimeConfig.asked)) {
		switch value := strings.TrimSpace(string(c.RuntimeConfig.asked[key])); {
		case value == "null" || value == `""` || value == "[]" || value == "{}": // nothing is asked for
		case strings.EqualFold(key, "CNIDeviceInfoFile") || strings.EqualFold(key, "dns"):
		case c.IPAM.Type != "" && (strings.EqualFold(key, "ips") || strings.EqualFold(key, "ipRanges")): // IPAM does it
		default:
			not = append(not, key)
		}
	}
	if len(not) > 0 {
		return fmt.Errorf("%s cannot be had of this plugin: take it from the configuration's capabilities", strings.Join(not, ", "))
	}
	return nil
}
