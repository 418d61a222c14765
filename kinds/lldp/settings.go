// SPDX-License-Identifier: Apache-2.0

package lldp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.fd.io/govpp/binapi/lldp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Settings are those of all Ports. The zero value is VPP's: no name, each 30 seconds, believed
// for four times as long.
type Settings struct {
	SystemName string        // at most 255 bytes; "": as it was
	Interval   time.Duration // between two frames, in whole seconds up to an hour; 0: 30 s
	Hold       int           // for how many intervals neighbours believe it, at most 100; 0: 4
}

// SettingsKey is the key of the one Settings.
func SettingsKey() desiredstate.Key {
	return desiredstate.Key{Space: "lldp-settings", Name: "lldp"}
}

// Key is SettingsKey().
func (s Settings) Key() desiredstate.Key { return SettingsKey() }

// Deps is empty.
func (s Settings) Deps() []desiredstate.Key { return nil }

// Validate checks the bounds.
func (s Settings) Validate() error {
	switch {
	case s.Interval < 0 || s.Interval%time.Second != 0 || s.Interval > time.Hour:
		return fmt.Errorf("interval %v: want whole seconds, at most an hour", s.Interval)
	case s.Hold < 0 || s.Hold > 100:
		return fmt.Errorf("hold %d: want at most 100", s.Hold)
	case s.seconds()*s.hold() >= 1<<16-1:
		return errors.New("hold times interval: want at most 65534 seconds")
	}
	return checkText("system name", s.SystemName, 255)
}

// seconds and hold are what VPP is told; it takes 0 for what it has.
func (s Settings) seconds() uint32 {
	if s.Interval == 0 {
		return 30
	}
	return uint32(s.Interval / time.Second)
}

func (s Settings) hold() uint32 {
	if s.Hold == 0 {
		return 4
	}
	return uint32(s.Hold)
}

// AllSettings manages the Settings (lldp_config). They change in place. What is no longer wanted is
// as VPP has it at first, but for the name, which VPP takes back from nobody.
func AllSettings(c *vppnet.Conn, m *vppnet.Memory) *desiredstate.Kind[Settings] {
	vpp := lldp.NewServiceClient(c)
	set := func(ctx context.Context, s Settings) error {
		_, err := vpp.LldpConfig(ctx, &lldp.LldpConfig{TxHold: s.hold(), TxInterval: s.seconds(), SystemName: s.SystemName})
		return err
	}
	return vppnet.Remembered(c, m, &desiredstate.Kind[Settings]{
		Name:     "lldp-settings",
		Messages: c.Uses(&lldp.LldpConfig{}),
		Create:   func(ctx context.Context, _ *desiredstate.View, s Settings) (uint32, error) { return 0, set(ctx, s) },
		Update: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[Settings], want Settings) error {
			return set(ctx, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[Settings]) error {
			return set(ctx, Settings{})
		},
	})
}
