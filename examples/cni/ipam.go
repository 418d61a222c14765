// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// ipam is the plugin that addresses are left to, with the configuration that it is given: ours.
type ipam struct {
	plugin string // "": none
	conf   []byte
}

func ipamOf(c *netconf.Conf, stdin []byte) ipam {
	if itself(c) {
		return ipam{"", stdin}
	}
	return ipam{c.IPAM.Type, stdin}
}

func findIPAM(plugin string) (path string, err error) {
	return invoke.FindInPath(plugin, filepath.SplitList(os.Getenv("CNI_PATH")))
}

// itself says whether the plugin is its own IPAM, by whatever name: it would ask itself without end.
func itself(c *netconf.Conf) bool {
	if c.IPAM.Type == "" || c.IPAM.Type == c.Type {
		return c.IPAM.Type != ""
	}
	path, err := findIPAM(c.IPAM.Type)
	if err != nil {
		return false
	}
	it, err := os.Stat(path)
	us, failed := os.Stat("/proc/self/exe")
	return err == nil && failed == nil && os.SameFile(us, it)
}

// noIPAM says why a configuration's IPAM cannot be asked for addresses.
func noIPAM(c *netconf.Conf) error {
	if c.IPAM.Type == "" {
		return nil
	}
	_, err := findIPAM(c.IPAM.Type)
	if err == nil && itself(c) {
		err = errors.New("that is the plugin itself, which gives no addresses")
	}
	if err != nil {
		return types.NewError(types.ErrInvalidNetworkConfig, "ipam "+c.IPAM.Type, err.Error())
	}
	return nil
}

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
	r, err := invoke.DelegateAdd(ctx, i.plugin, i.conf, bounded)
	if err != nil {
		return nil, i.said(err)
	}
	got, err := current(r)
	if err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "ipam "+i.plugin, err.Error())
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
	return i.said(invoke.DelegateDel(ctx, i.plugin, i.conf, bounded))
}

// check asks whether the addresses of r are the attachment's, in the version of the configuration: it may
// know no newer one. There is no CHECK before 0.4.0.
func (i ipam) check(ctx context.Context, r *types100.Result) error {
	if i.plugin == "" {
		return nil
	}
	var conf map[string]any
	if err := json.Unmarshal(i.conf, &conf); err != nil {
		return err
	}
	said, _ := conf["cniVersion"].(string)
	if known, err := version.GreaterThanOrEqualTo(said, firstCheck); err != nil || !known {
		said = firstCheck
	}
	prev, err := r.GetAsVersion(said)
	if err != nil {
		return err
	}
	conf["cniVersion"], conf["prevResult"] = said, prev
	text, err := json.Marshal(conf)
	if err != nil {
		return err
	}
	return i.said(invoke.DelegateCheck(ctx, i.plugin, text, bounded))
}

const firstCheck = "0.4.0"

func (i ipam) status(ctx context.Context) error {
	if i.plugin == "" {
		return nil
	}
	return invoke.DelegateStatus(ctx, i.plugin, i.conf, bounded) // its code is ours
}

func (i ipam) gc(ctx context.Context) error {
	if i.plugin == "" {
		return nil
	}
	return i.said(invoke.DelegateGC(ctx, i.plugin, i.conf, bounded))
}

// free gives back the addresses of an attachment other than the command's.
func (i ipam) free(ctx context.Context, container, ifName string) error {
	if i.plugin == "" {
		return nil
	}
	step("ipam DEL " + container)
	path, err := findIPAM(i.plugin)
	if err != nil {
		return i.said(err)
	}
	return i.said(invoke.ExecPluginWithoutResult(ctx, path, i.conf, &invoke.Args{
		Command: "DEL", ContainerID: container, IfName: ifName, Path: os.Getenv("CNI_PATH"),
	}, bounded))
}

// bounded runs a plugin for as long as the command may take.
var bounded invoke.Exec = boundedExec{&invoke.DefaultExec{RawExec: &invoke.RawExec{Stderr: os.Stderr}}}

type boundedExec struct{ *invoke.DefaultExec }

// ExecPlugin does not wait for what a plugin that was ended has begun, and that has its output still: a script's programs.
func (b boundedExec) ExecPlugin(ctx context.Context, path string, stdin []byte, environ []string) ([]byte, error) {
	type answer struct {
		text []byte
		err  error
	}
	said := make(chan answer, 1)
	go func() {
		text, err := b.DefaultExec.ExecPlugin(ctx, path, stdin, environ)
		said <- answer{text, err}
	}()
	select {
	case a := <-said:
		if a.err == nil || ctx.Err() == nil {
			return a.text, a.err
		}
	case <-ctx.Done():
	}
	return nil, types.NewError(types.ErrTryAgainLater, "it does not answer", ctx.Err().Error())
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
