// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxPort is far above what a port needs, whatever its allowed address pairs;
// maxGroup holds 10,000 rules.
const (
	maxPort  = 64 << 10
	maxGroup = 4 << 20
)

// fields is a JSON object with the exact names of its members, nil if one is given
// twice: encoding/json into a struct would let "Port_Security_Enabled" overrule, and
// the last of two equal names win.
type fields map[string]json.RawMessage

func parse(value []byte, most int) (fields, error) {
	if err := text(value, most); err != nil {
		return nil, err
	}
	value = trim(value)
	if len(value) == 0 || value[0] != '{' {
		return nil, errors.New("not a JSON object")
	}
	if err := json.Unmarshal(value, new(json.RawMessage)); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	out := fields{}
	for rest := value[1:]; len(rest) > 0; {
		var quoted, raw []byte
		if quoted, rest = cut(rest); len(quoted) == 0 {
			break // it has no members
		}
		raw, rest = cut(rest)
		var name string
		if err := json.Unmarshal(quoted, &name); err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		if _, dup := out[name]; dup {
			raw = nil // nobody can tell which is meant
		}
		out[name] = raw
	}
	return out, nil
}

// cut takes the first name or value off the rest of an object, which is JSON: what
// is up to the next colon, comma or brace that is not within it.
func cut(rest []byte) (first, after []byte) {
	depth, quoted := 0, false
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
		case depth == 0 && (c == ':' || c == ',' || c == '}'):
			return trim(rest[:i]), rest[i+1:]
		case c == '}', c == ']':
			depth--
		}
	}
	return trim(rest), nil
}

func trim(s []byte) []byte { return bytes.Trim(s, " \t\r\n") }

// text refuses what is too long, and what is none.
func text(value []byte, most int) error {
	if len(value) > most {
		return fmt.Errorf("%d bytes, at most %d are read", len(value), most)
	}
	if !utf8.Valid(value) {
		return errors.New("not UTF-8")
	}
	return nil
}

// read stores a member in *to, which stays as it is if there is no such member
// or it is null.
func read[T any](f fields, name string, to *T) error {
	raw, ok := f[name]
	if !ok {
		return nil
	}
	if raw == nil {
		return fmt.Errorf("%s is given twice", name)
	}
	var got T // what is half read is not used
	if string(raw) == "null" {
		return nil
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return fmt.Errorf("%s: %.40s is no %T", name, raw, *to)
	}
	*to = got
	return nil
}

// need is read of a member that must be there.
func need[T any](f fields, name string, to *T) error {
	if raw, ok := f[name]; !ok || string(raw) == "null" {
		return fmt.Errorf("%s is missing", name)
	}
	return read(f, name, to)
}

// lacks are the parts of a value that are left out, and why. One bad part must not keep
// the others from being served, and junk not fill an error with thousands of lines.
type lacks []error

const mostNamed = 8

// add notes a part that is left out, if there is an error.
func (l *lacks) add(err error) {
	if err != nil {
		*l = append(*l, err)
	}
}

// join is one error that names the first parts; nil if there are none.
func (l lacks) join() (err error) {
	for i, e := range l {
		switch {
		case i == 0:
			err = e
		case i == mostNamed:
			return fmt.Errorf("%w; and %d more", err, len(l)-i)
		default:
			err = fmt.Errorf("%w; %w", err, e)
		}
	}
	return err
}
