// SPDX-License-Identifier: Apache-2.0

package shared

import (
	"errors"
	"io"

	"go.fd.io/govpp/api"
)

// Pages reads what VPP hands out in pages: open begins at a cursor, and next is
// where the reply says to go on.
func Pages[D, R any](open func(cursor uint32) (recv func() (D, R, error), err error), next func(R) uint32) (out []D, err error) {
	for cursor := uint32(0); ; {
		recv, err := open(cursor)
		if err != nil {
			return nil, err
		}
		for {
			d, r, err := recv()
			if errors.Is(err, io.EOF) {
				return out, nil
			}
			if errors.Is(err, api.EAGAIN) {
				cursor = next(r)
				break
			}
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		}
	}
}
