// SPDX-License-Identifier: Apache-2.0

package acl

import "fmt"

// leftOut is what is not in something that is made of many parts, and why. One bad
// part must not keep the others from being there, and junk not fill an error with
// thousands of lines.
type leftOut []error

const mostNamed = 8

// join is one error that names the first ones; nil if there are none.
func (l leftOut) join() (err error) {
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
