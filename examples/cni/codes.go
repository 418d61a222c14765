// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os/user"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/vppnet"
)

// lost says that the data plane went away, or did not answer: nobody knows what became of the
// message.
func lost(err error) bool {
	for _, of := range []error{
		vppnet.ErrDisconnected, vppnet.ErrClosed, vppnet.ErrWedged, vppnet.ErrTimeout,
		ovs.ErrDisconnected, ovs.ErrClosed, ovs.ErrTimeout, ovs.ErrIdle, context.DeadlineExceeded,
	} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// coded gives an error its code of the CNI specification, if it has none yet.
func coded(err error) error {
	var said *types.Error
	var group user.UnknownGroupError
	switch {
	case err == nil, errors.As(err, &said):
		return err
	case lost(err):
		return types.NewError(types.ErrTryAgainLater, "the data plane does not answer", err.Error())
	case errors.As(err, &group):
		return types.NewError(types.ErrInvalidNetworkConfig, "vhost.group", err.Error())
	case errors.Is(err, desiredstate.ErrInvalid), errors.Is(err, desiredstate.ErrConflict), errors.Is(err, desiredstate.ErrForeign):
		return types.NewError(types.ErrInvalidNetworkConfig, "the data plane cannot have it", err.Error())
	}
	return err
}

// together joins errors to one, whose code is that of the first that has one: of several, the
// runtime would be told only that.
func together(errs ...error) error {
	for i, err := range errs {
		errs[i] = coded(err)
	}
	err := errors.Join(errs...)
	var said *types.Error
	if errors.As(err, &said) {
		return types.NewError(said.Code, err.Error(), "")
	}
	return err
}
