// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/types/create"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// cacheFile is what libcni, and so every runtime, writes of an ADD that has succeeded.
type cacheFile struct {
	Kind        string          `json:"kind"`
	ContainerID string          `json:"containerId"`
	Config      []byte          `json:"config"` // of a plugin, or of a list of them
	IfName      string          `json:"ifName"`
	Network     string          `json:"networkName"`
	CNIArgs     [][2]string     `json:"cniArgs"`
	Result      json.RawMessage `json:"result"`
}

// read gives the attachments that the plugin made in this daemon's data plane.
func (d *daemon) read(ctx context.Context) (cached, error) {
	out := cached{attachments: map[string]*Attachment{}}
	files, err := os.ReadDir(d.cache)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return out, err
	}
	var errs []error
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(d.cache, f.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // gone since
		}
		var a *Attachment
		if err == nil {
			a, err = d.attachment(ctx, text)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name(), err))
		}
		if a != nil || err != nil {
			out.attachments[f.Name()] = a
		}
	}
	out.errs = errors.Join(errs...)
	return out, nil
}

// attachment is that of a file of the cache; nil: it is not ours.
func (d *daemon) attachment(ctx context.Context, text []byte) (*Attachment, error) {
	var f cacheFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	if f.Kind != libcni.CNICacheV1 {
		return nil, nil
	}
	config, err := pluginOf(f)
	if config == nil || err != nil {
		return nil, err
	}
	conf, err := netconf.Parse(config)
	if err != nil {
		return nil, err
	}
	socket := conf.VPPSocket
	if d.engine == netconf.OVS {
		socket = strings.TrimPrefix(conf.OVSDB, "unix:")
	}
	if conf.Host.Engine != d.engine || socket != "" && socket != d.socket {
		return nil, nil
	}
	result, err := create.CreateFromBytes(f.Result)
	if err != nil {
		return nil, err
	}
	r, err := types100.NewResultFromResult(result)
	if err != nil {
		return nil, err
	}
	dir := socketDir(r, f.IfName)
	if dir == "" {
		args := ""
		for _, a := range f.CNIArgs {
			args += a[0] + "=" + a[1] + ";"
		}
		p, err := podOf(conf, strings.TrimSuffix(args, ";"))
		if err != nil {
			return nil, err
		}
		if dir, err = p.dir(ctx); err != nil {
			return nil, err
		}
	}
	a, err := newAttachment(conf, f.ContainerID, f.IfName, dir)
	if err != nil {
		return nil, err
	}
	for _, ip := range own(r, f.IfName).IPs {
		a.IPs = append(a.IPs, *ip)
	}
	return a, nil
}

// pluginOf is the configuration of the plugin itself, as libcni gave it to it; nil: it has none.
func pluginOf(f cacheFile) ([]byte, error) {
	list, err := libcni.ConfListFromBytes(f.Config)
	if err != nil {
		one, err := libcni.ConfFromBytes(f.Config) //nolint:staticcheck // caches have it
		if err != nil {
			return nil, err
		}
		if list, err = libcni.ConfListFromConf(one); err != nil { //nolint:staticcheck // the netconfs that are to run unchanged are no lists
			return nil, err
		}
	}
	for _, p := range list.Plugins {
		if p.Network.Type != pluginType {
			continue
		}
		one, err := libcni.InjectConf(p, map[string]any{"name": f.Network, "cniVersion": list.CNIVersion})
		if err != nil {
			return nil, err
		}
		return one.Bytes, nil
	}
	return nil, nil
}

// pluginType is what netconfs call the plugin.
const pluginType = "userspace"
