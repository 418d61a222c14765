// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzParse: what is read of an object is what encoding/json reads of it, but for what
// is given twice, and what is refused is none.
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
		require.NoError(t, err)
		require.Len(t, got, len(want))
		twice := 0
		for name, raw := range want {
			if got[name] == nil {
				twice++
				require.ErrorContains(t, read(got, name, new(any)), "is given twice")
				continue
			}
			require.Equal(t, string(raw), string(got[name]), name)
		}
		require.Equal(t, twice > 0, names(t, value) > len(want))
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

// Nothing of a value is repeated at length in what is said of it.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("x", 20000)
	for _, value := range []string{
		`{"` + long + `":{"` + long + `":`,
		`{"` + long + `":{"` + long + `":]}}`,
		`{"mac_address":"` + long + `"}`,
		`{"mac_address":{"` + long + `":1}}`,
		long,
	} {
		_, err := Site{}.Port("00000000-0000-0000-0000-000000000000", []byte(value))
		require.Error(t, err)
		require.Less(t, len(err.Error()), 200, "%.100s", err.Error())
	}
}
