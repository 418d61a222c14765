// SPDX-License-Identifier: Apache-2.0

package classify

import (
	"cmp"
	"errors"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Session says what becomes of packets that have Match under the mask of a table of ours. The
// zero value of the rest lets them pass.
type Session struct {
	Table string
	Match Pattern // of bits that the mask has

	Deny    bool   // of a table that filters: they are dropped
	Policer string // of a table that chooses policers: the key space of kinds/qos
	Advance int32  // of a table that filters: what is looked at next begins so many bytes on

	odd string // of one that was found: what no Session can say
}

// SessionKey is the key of a session.
func SessionKey(table string, match Pattern) desiredstate.Key {
	return desiredstate.Key{Space: "classify-session", Name: table + " " + match.String()}
}

// Key is SessionKey(s.Table, s.Match).
func (s Session) Key() desiredstate.Key { return SessionKey(s.Table, s.Match) }

// policerKey is the key of a policer; see qos.PolicerKey.
func policerKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "policer", Name: name}
}

// Deps lists the table, and the policer.
func (s Session) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{TableKey(s.Table)}
	if s.Policer != "" {
		deps = append(deps, policerKey(s.Policer))
	}
	return deps
}

// Validate checks names and pattern.
func (s Session) Validate() error {
	if err := cmp.Or(vppnet.CheckName(s.Table), s.Match.check("the match")); err != nil {
		return err
	}
	switch {
	case s.Policer == "":
		return nil
	case s.Deny || s.Advance != 0:
		return errors.New("a table filters or chooses policers, not both")
	}
	return vppnet.CheckRef("policer", s.Policer)
}
