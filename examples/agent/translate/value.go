// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxPort is far above what a port needs, whatever its allowed address pairs;
// maxGroup holds 10,000 rules, or as many subports as there are VLANs.
const (
	maxPort  = 64 << 10
	maxGroup = 4 << 20
)

// Longest is how long the value of a key is at most that is read, signed or not.
func Longest(key string) int {
	if strings.HasPrefix(key, Groups) || isTrunk(key) {
		return 2 * maxGroup
	}
	return 2 * maxPort
}

// fields is a JSON object with the exact names of its members, nil if one is given
// twice: encoding/json into a struct would let "Port_Security_Enabled" overrule, and
// the last of two equal names win.
type fields map[string]json.RawMessage

// parse reads one object and nothing after it. jsontext refuses what is no JSON, and what
// nests too deep; it lets names be given twice, as that spoils one member and not all.
func parse(value []byte, most int) (fields, error) {
	if err := text(value, most); err != nil {
		return nil, err
	}
	d := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) // of halves of surrogates
	if d.PeekKind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	out := fields{}
	err := object(d, func(name string, raw json.RawMessage) {
		if _, dup := out[name]; dup {
			raw = nil // nobody can tell which is meant
		}
		out[name] = raw
	})
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", where(err))
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not JSON: something follows the object")
	}
	return out, nil
}

// object tells of the members of the object that comes next.
func object(d *jsontext.Decoder, member func(name string, raw json.RawMessage)) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return unfinished(err)
		}
		key := name.String() // the token lives until the next read
		raw, err := d.ReadValue()
		if err != nil {
			return unfinished(err)
		}
		member(key, json.RawMessage(bytes.Clone(raw)))
	}
	_, err := d.ReadToken()
	return unfinished(err)
}

// where says at which byte something is wrong, and what; jsontext names all that it is in, by
// names that may be as long as the value.
func where(err error) error {
	var e *jsontext.SyntacticError
	if errors.As(err, &e) && e.Err != nil {
		return fmt.Errorf("%w at byte %d", e.Err, e.ByteOffset)
	}
	return err
}

// unfinished is err, of something that has not ended.
func unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// text refuses what is too long, and what is none.
func text(value []byte, most int) error {
	if len(value) > most {
		return fmt.Errorf("longer than the %d bytes that are read", most)
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

// within reads a member that is an object; nothing, if there is none or it is null.
func within(f fields, name string) (fields, error) {
	var raw json.RawMessage
	if err := read(f, name, &raw); err != nil || raw == nil {
		return nil, err
	}
	out, err := parse(raw, maxPort)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// elements reads a member that is a list, and must be there: so many elements, and how many more there are.
func elements(f fields, name string, most int) (out []json.RawMessage, more int, err error) {
	var all json.RawMessage
	if err := need(f, name, &all); err != nil {
		return nil, 0, err
	}
	d := jsontext.NewDecoder(bytes.NewReader(all), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '[' {
		return nil, 0, fmt.Errorf("%s: %.40s is no list", name, all)
	}
	for _, err = d.ReadToken(); err == nil && d.PeekKind() != ']'; {
		if len(out) == most {
			err, more = d.SkipValue(), more+1
			continue
		}
		var raw jsontext.Value
		if raw, err = d.ReadValue(); err == nil {
			out = append(out, json.RawMessage(bytes.Clone(raw)))
		}
	}
	return out, more, err // what is in fields is well-formed
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
