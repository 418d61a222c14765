// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxPort is far above what a port needs, whatever its allowed address pairs;
// maxGroup holds 10,000 rules.
const (
	maxPort  = 64 << 10
	maxGroup = 4 << 20
)

// fields is a JSON object with the exact names of its members: encoding/json
// into a struct would let "Port_Security_Enabled" overrule, and the last of
// two equal names win.
type fields map[string]json.RawMessage

func parse(value []byte, most int) (fields, error) {
	if err := text(value, most); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(value))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	out := fields{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, notJSON(err)
		}
		if _, dup := out[name.(string)]; dup {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		out[name.(string)] = raw
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return out, nil
}

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

func notJSON(err error) error { return fmt.Errorf("not JSON: %w", err) }

// read stores a member in *to, which stays as it is if there is no such member
// or it is null.
func read[T any](f fields, name string, to *T) error {
	raw, ok := f[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("%s: %.40s is no %T", name, raw, *to)
	}
	return nil
}

// need is read of a member that must be there.
func need[T any](f fields, name string, to *T) error {
	if raw, ok := f[name]; !ok || string(raw) == "null" {
		return fmt.Errorf("%s is missing", name)
	}
	return read(f, name, to)
}
