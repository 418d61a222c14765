// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"reflect"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
)

// State is what VPP answers to dumps, as text, one message a line: equal when nothing
// changed that they show. MACs that VPP makes up are left out, as in recordings, and so are
// replies with a cursor, which tells how long VPP's list once was. It does not pass through the
// proxy: it is not counted and meets no faults. Why VPP could not be
// asked stands in the text.
//
// Of an in-memory VPP, String shows more.
func (p *Proxy) State(dumps ...api.Message) string {
	lines, err := p.state(dumps)
	if err != nil {
		lines = append(lines, err.Error())
	}
	return strings.Join(lines, "\n")
}

func (p *Proxy) state(dumps []api.Message) (lines []string, err error) {
	w, err := dial(p.upstream)
	if err != nil {
		return nil, err
	}
	defer w.close()
	answers, _, err := w.ask(dumps...)
	if err != nil {
		return nil, err
	}
	for _, m := range answers {
		if reflect.ValueOf(m).Elem().FieldByName("Cursor").IsValid() {
			continue
		}
		s, err := say(m)
		if err != nil {
			return lines, err
		}
		if s, err = s.scrub(dirMark, nil); err != nil {
			return lines, err
		}
		lines = append(lines, s.String())
	}
	slices.Sort(lines) // some are dumped in the order of a hash table
	return lines, nil
}
