// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzParse: what is read of an object is what encoding/json reads of it, and what
// is refused is none, or has a name twice.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"{}", " { } ", "{\"a\":1}", `{ "a" : [1,{"b":"}"}] , "c":"x\\\"y" }`, `{"a":1,"\u0061":2}`, `{"a":{"b":{}},"":null}`,
		`{"a":1}{}`, `{"a":1,}`, `{"a"}`, `{"a:1}`, "[]", "", "\u00a0{}", `{"\ud800":1,"\ufffd":2}`, `{"a\\":"\\"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		got, err := parse(value, maxPort)
		want := map[string]json.RawMessage{}
		if failed := json.Unmarshal(value, &want); failed != nil || want == nil || !utf8.Valid(value) || len(value) > maxPort {
			require.Error(t, err)
			return
		}
		if err != nil {
			require.ErrorContains(t, err, "is given twice")
			require.Less(t, len(want), names(t, value))
			return
		}
		require.Len(t, want, names(t, value), "none is given twice")
		require.Len(t, got, len(want))
		for name, raw := range want {
			require.Equal(t, string(raw), string(got[name]), name)
		}
	})
}

// names counts the members of an object.
func names(t *testing.T, value []byte) (n int) {
	d := json.NewDecoder(bytes.NewReader(value))
	_, err := d.Token()
	for require.NoError(t, err); d.More(); n++ {
		_, err := d.Token()
		require.NoError(t, err)
		require.NoError(t, d.Decode(new(json.RawMessage)))
	}
	return n
}
