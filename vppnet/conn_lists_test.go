// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	_ "go.fd.io/govpp/binapi/acl"
	_ "go.fd.io/govpp/binapi/ip"
	_ "go.fd.io/govpp/binapi/nat44_ed"
	_ "go.fd.io/govpp/binapi/one"
)

// What a message announces is not believed, of no message: a list that is not there is an error, and
// not the end of the program, which has no memory for it.
func TestAnAnnouncedListIsNotBelieved(t *testing.T) {
	lists := 0
	for _, tree := range api.GetRegisteredMessages() {
		for name, m := range tree {
			typ := reflect.TypeOf(m).Elem()
			n := announced(typ)
			require.Len(t, countsOf(typ), n, "%s: all that announces a list is found", name)
			if lists += n; n > 0 {
				err := unmarshal(bytes.Repeat([]byte{0xff}, 4096), reflect.New(typ).Interface().(api.Message))
				require.ErrorIs(t, err, ErrUnexpectedReply, name)
			}
		}
	}
	require.Greater(t, lists, 30)
}

// announced is how many lists of a type are announced by numbers of 32 bits.
func announced(t reflect.Type) (n int) {
	if t.Kind() != reflect.Struct {
		return 0
	}
	numbers := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		said := append(tag.FindStringSubmatch(f.Tag.Get("binapi")), "", "", "")
		switch f.Type.Kind() {
		case reflect.Uint32:
			numbers[said[2]] = true
		case reflect.Slice:
			if numbers[said[1]] {
				n++
			}
			n += announced(f.Type.Elem())
		default:
			n += announced(f.Type)
		}
	}
	return n
}
