// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"errors"
	"fmt"
)

// The ways in which talking to OVS fails, to be told apart with [errors.Is].
var (
	// ErrClosed: Close was called on the Conn.
	ErrClosed = errors.New("connection closed")

	// ErrDisconnected: the socket died, usually because ovsdb-server did. Dial again, and
	// build kinds and engines anew: whatever was in flight may have been done.
	ErrDisconnected = errors.New("disconnected from OVSDB")

	// ErrTimeout: ovsdb-server did not answer in time. The outcome is unknown, the Conn
	// stays usable.
	ErrTimeout = errors.New("no reply from ovsdb-server in time")

	// ErrIdle: it is in the database, and ovs-vswitchd did not take it up in time. Look
	// whether it runs; it will do so when it does.
	ErrIdle = errors.New("ovs-vswitchd does not take up what is written")
)

// Error is what a transaction fails with.
type Error struct {
	// What was tried: "add bridge br0".
	What string

	// Unknown says that the transaction left and no answer came.
	Unknown bool

	// Err is the cause: one of the errors of this package, what ovsdb-server says, as one of
	// libovsdb's types (*ovsdb.ConstraintViolation), what ovs-vswitchd says, or a context's.
	Err error
}

func (e *Error) Error() string {
	if e.Unknown {
		return fmt.Sprintf("%s: %v (outcome unknown)", e.What, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.What, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
