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

// maxValue is far above what a port needs, whatever its allowed address pairs.
const maxValue = 64 << 10

// fields is a JSON object with the exact names of its members: encoding/json
// into a struct would let "Port_Security_Enabled" overrule, and the last of
// two equal names win.
type fields map[string]json.RawMessage

func parse(value []byte) (fields, error) {
	if len(value) > maxValue {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(value), maxValue)
	}
	if !utf8.Valid(value) {
		return nil, errors.New("not UTF-8")
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
