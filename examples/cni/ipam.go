// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// ipam is the plugin that addresses are left to, with the configuration that it is given: ours.
type ipam struct {
	plugin string // "": none
	conf   []byte
}

func ipamOf(c *netconf.Conf, stdin []byte) ipam { return ipam{c.IPAM.Type, stdin} }

// add gives an attachment its addresses. Those of before, which had is of, it keeps if they still are
// its own; if they are not, what a killed ADD may have got is given back first.
func (i ipam) add(ctx context.Context, had *netconf.HandOver) (*types100.Result, error) {
	if i.plugin == "" {
		return &types100.Result{CNIVersion: types100.ImplementedSpecVersion}, nil
	}
	if had != nil && len(had.IPResult.IPs) > 0 && i.check(ctx, &had.IPResult) == nil {
		return &had.IPResult, nil
	}
	if err := i.del(ctx); err != nil {
		return nil, err
	}
	step("ipam ADD")
	r, err := invoke.DelegateAdd(ctx, i.plugin, i.conf, nil)
	if err != nil {
		return nil, fmt.Errorf("ipam %s: %w", i.plugin, err)
	}
	got, err := types100.NewResultFromResult(r)
	if err != nil {
		return nil, err
	}
	if len(got.IPs) == 0 {
		return nil, fmt.Errorf("ipam %s gave no address", i.plugin)
	}
	return got, nil
}

func (i ipam) del(ctx context.Context) error {
	if i.plugin == "" {
		return nil
	}
	step("ipam DEL")
	return i.said(invoke.DelegateDel(ctx, i.plugin, i.conf, nil))
}

// check asks whether the addresses of r are the attachment's. A configuration that is too old for
// CHECK is asked in the words of a newer one.
func (i ipam) check(ctx context.Context, r *types100.Result) error {
	if i.plugin == "" {
		return nil
	}
	var conf map[string]any
	if err := json.Unmarshal(i.conf, &conf); err != nil {
		return err
	}
	conf["cniVersion"], conf["prevResult"] = types100.ImplementedSpecVersion, r
	text, err := json.Marshal(conf)
	if err != nil {
		return err
	}
	return i.said(invoke.DelegateCheck(ctx, i.plugin, text, nil))
}

func (i ipam) status(ctx context.Context) error {
	if i.plugin == "" {
		return nil
	}
	return invoke.DelegateStatus(ctx, i.plugin, i.conf, nil) // its code is ours
}

func (i ipam) gc(ctx context.Context) error {
	if i.plugin == "" {
		return nil
	}
	return i.said(invoke.DelegateGC(ctx, i.plugin, i.conf, nil))
}

// free gives back the addresses of an attachment other than the command's.
func (i ipam) free(ctx context.Context, container, ifName string) error {
	if i.plugin == "" {
		return nil
	}
	step("ipam DEL " + container)
	path, err := invoke.FindInPath(i.plugin, filepath.SplitList(os.Getenv("CNI_PATH")))
	if err != nil {
		return i.said(err)
	}
	return i.said(invoke.ExecPluginWithoutResult(ctx, path, i.conf, &invoke.Args{
		Command: "DEL", ContainerID: container, IfName: ifName, Path: os.Getenv("CNI_PATH"),
	}, nil))
}

func (i ipam) said(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*types.Error); ok { //nolint:errorlint // as libcni gives it
		return types.NewError(e.Code, fmt.Sprintf("ipam %s: %s", i.plugin, e.Msg), e.Details)
	}
	return fmt.Errorf("ipam %s: %w", i.plugin, err)
}
