// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
)

// The ways in which talking to VPP fails, to be told apart with [errors.Is].
// What VPP itself answers is not among them: a return value is an
// [api.VPPApiError], as in errors.Is(err, api.NO_SUCH_ENTRY).
var (
	// ErrClosed says that Close was called on the Conn or on the stream.
	// There is nothing to repair: stop using it.
	ErrClosed = errors.New("connection closed")

	// ErrDisconnected says that the socket died, usually because VPP did.
	// Dial again, build what holds handles of the old VPP anew, and read
	// before writing: whatever was in flight may have been executed.
	ErrDisconnected = errors.New("disconnected from VPP")

	// ErrTimeout says that VPP did not answer within the reply timeout. The
	// outcome is unknown: read the object again before deciding what to do.
	// The Conn stays usable, and the late answer reaches nobody.
	ErrTimeout = errors.New("no reply from VPP in time")

	// ErrWedged says that VPP said nothing whatever for so long, though it
	// owed an answer, that it is taken for hung. The Conn is dead. Dial again;
	// if that does not help, VPP has to be restarted. The outcome of what was
	// in flight is unknown.
	ErrWedged = errors.New("VPP is wedged")

	// ErrNotAllowed says that the request was not declared, so it was not
	// sent. It is a bug of the caller: declare the message with Conn.Uses.
	ErrNotAllowed = errors.New("message not declared")

	// ErrUnsupported says that the connected VPP lacks the message, or has it
	// with another definition (CRC), so nothing was sent. Load the plugin, or
	// use a VPP or bindings of the right version. Retrying does not help.
	ErrUnsupported = errors.New("message not supported by this VPP")

	// ErrUnexpectedReply says that VPP answered a request with a message that
	// does not answer it, or that cannot be decoded. The outcome is unknown;
	// VPP and the bindings disagree, which is worth a bug report.
	ErrUnexpectedReply = errors.New("unexpected reply")
)

// Error is what a call or a stream of a [Conn] fails with.
type Error struct {
	// Message is the name of the request, such as "sw_interface_set_flags".
	Message string

	// Retval is what VPP returned, 0 if it did not answer. Any other value
	// is a failure; almost all are negative.
	Retval int32

	// Reply is the decoded reply, nil if there was none. A few failures say
	// something useful in it, as in the index of what exists already. Of a
	// failing reply with lists only the Retval is decoded, because VPP
	// does not set the other fields.
	Reply api.Message

	// Unknown says that the request left for VPP and no answer was
	// understood: VPP may have executed it or not.
	Unknown bool

	// Err is the cause: an api.VPPApiError, one of the errors of this
	// package, or that of a context.
	Err error
}

func (e *Error) Error() string {
	if e.Unknown {
		return fmt.Sprintf("%s: %v (outcome unknown)", e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Full returns err, and says what to do if it is the return value by which VPP refuses one
// more than the most that there can be.
func Full(err error, refused api.VPPApiError, most int, what string) error {
	if !errors.Is(err, refused) {
		return err
	}
	return fmt.Errorf("there can be %d %s, and are: remove some: %w", most, what, err)
}
