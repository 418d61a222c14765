// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// Panic is the error of a Kind's function that panicked, wherever it returns errors: a fault
// of one kind stops that kind, and nobody else. What it had done by then is not known, as with any
// error. Found by errors.As.
type Panic struct {
	Value any    // what it panicked with
	Stack string // as runtime/debug has it
	at    string // file and line
}

func (p *Panic) Error() string {
	return fmt.Sprintf("a fault of the kind's: panic at %s: %v", p.at, p.Value)
}

// Unwrap returns Value if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// caught makes an error of the panic of the function that defers it.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = &Panic{Value: p, Stack: string(debug.Stack()), at: site()}
	}
}

// site is where the panic that is being recovered from began: above the calls of the runtime
// that led from there to caught.
func site() string {
	var calls [32]uintptr
	frames := runtime.CallersFrames(calls[:runtime.Callers(3, calls[:])]) // without itself and caught
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") || !more {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}
