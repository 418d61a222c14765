// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containernetworking/cni/libcni"
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

// cachedFile is what the daemon knows of a file of a cache, since it has last changed.
type cachedFile struct {
	stamp fs.FileInfo
	conf  *netconf.Conf                         // nil: it is not of the plugin
	made  func(dir string) (*Attachment, error) // that of a directory
	where func(context.Context) (string, error) // the directory, by the API server; nil: made has been called
	asked chan answer                           // of where; nil: it does not run
	again time.Time                             // when to ask once more
	a     *Attachment                           // the last that the file said; nil: none
	err   error                                 // why it says none now
}

type answer struct {
	dir string
	err error
}

// patient is how long an API server that has failed is left alone.
const patient = 10 * time.Second

// cached are the attachments in the caches, by file; nil: it cannot be read, or not now, and never was.
type cached struct {
	attachments map[string]*Attachment
	errs        error // of files that say nothing
}

// read gives the attachments that the plugin made in this daemon's data plane. It waits for nobody.
func (d *daemon) read(ctx context.Context) cached {
	out := cached{attachments: map[string]*Attachment{}}
	var errs []error
	known := d.files
	d.files = map[string]*cachedFile{}
	for _, dir := range d.caches {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			for path, f := range known { // it says nothing, and takes nothing away
				if filepath.Dir(path) == dir {
					d.files[path] = f
				}
			}
			continue
		}
		for _, entry := range files {
			path := filepath.Join(dir, entry.Name())
			if f := d.cachedFile(path, known[path]); f != nil {
				d.files[path] = f
			}
		}
	}
	for path, f := range d.files {
		if f.conf != nil && !d.serves(f.conf) {
			continue
		}
		f.place(ctx)
		if f.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, f.err))
		}
		if f.a != nil || f.err != nil || f.where != nil {
			out.attachments[path] = f.a
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	out.errs = errors.Join(errs...)
	return out
}

// cachedFile is a file, read if it has changed; nil: it is no more.
func (d *daemon) cachedFile(path string, before *cachedFile) *cachedFile {
	is, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if before != nil && err == nil && before.stamp != nil && os.SameFile(is, before.stamp) &&
		is.Size() == before.stamp.Size() && is.ModTime().Equal(before.stamp.ModTime()) {
		return before
	}
	f := &cachedFile{stamp: is}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = d.parse(f, text)
	}
	if f.err = err; err != nil && before != nil {
		f.conf, f.a = before.conf, before.a // what it said holds until it says another
	}
	return f
}

// parse reads a file of a cache.
func (d *daemon) parse(out *cachedFile, text []byte) error {
	var f cacheFile
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	if f.Kind != libcni.CNICacheV1 {
		return nil
	}
	config, err := pluginOf(f, d.plugin)
	if config == nil || err != nil {
		return err
	}
	conf, err := netconf.Parse(config)
	if err != nil {
		return err
	}
	result, err := create.CreateFromBytes(f.Result)
	if err != nil {
		return err
	}
	r, err := current(result)
	if err != nil {
		return err
	}
	out.conf = conf
	out.made = func(dir string) (*Attachment, error) {
		a, err := newAttachment(conf, f.ContainerID, f.IfName, dir)
		if err != nil {
			return nil, err
		}
		for _, ip := range own(r, f.IfName).IPs {
			a.IPs = append(a.IPs, *ip)
		}
		return a, nil
	}
	dir := socketDir(r, f.IfName)
	if dir != "" || conf.KubeConfig == "" {
		out.a, err = out.made(dir)
		return err
	}
	out.where = func(ctx context.Context) (string, error) {
		args := make([]string, len(f.CNIArgs))
		for i, a := range f.CNIArgs {
			args[i] = a[0] + "=" + a[1]
		}
		p, err := podOf(conf, strings.Join(args, ";"))
		if err != nil {
			return "", err
		}
		return p.dir(ctx)
	}
	return nil
}

// place finds where the sockets of an attachment are that only the API server knows of. It asks once, and
// from time to time when that fails; nobody waits for it.
func (f *cachedFile) place(ctx context.Context) {
	if f.where == nil {
		return
	}
	select {
	case x := <-f.asked:
		f.asked, f.err = nil, x.err
		if x.err != nil {
			f.again = time.Now().Add(patient)
			return
		}
		f.a, f.err = f.made(x.dir)
		f.where = nil
		return
	default:
	}
	if f.asked != nil || time.Now().Before(f.again) {
		return
	}
	asked, where := make(chan answer, 1), f.where
	f.asked = asked
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // the next data plane's daemon asks for it
		defer cancel()
		dir, err := where(ctx)
		asked <- answer{dir, err}
	}()
}

// serves says whether a configuration is of the daemon's data plane.
func (d *daemon) serves(c *netconf.Conf) bool {
	socket := c.VPPSocket
	if d.engine == netconf.OVS {
		socket = strings.TrimPrefix(c.OVSDB, "unix:")
	}
	return c.Host.Engine == d.engine && (socket == "" || sameSocket(socket, d.socket))
}

// sameSocket says whether two paths are one socket's, be it there or not.
func sameSocket(a, b string) bool {
	same := func(a, b string) bool {
		x, err := os.Stat(a)
		y, also := os.Stat(b)
		return err == nil && also == nil && os.SameFile(x, y)
	}
	return filepath.Clean(a) == filepath.Clean(b) || same(a, b) ||
		filepath.Base(a) == filepath.Base(b) && same(filepath.Dir(a), filepath.Dir(b))
}

// pluginOf is the configuration of the plugin of a type, as libcni gave it to it; nil: there is none.
func pluginOf(f cacheFile, pluginType string) ([]byte, error) {
	list, err := libcni.ConfListFromBytes(f.Config)
	if err != nil || len(list.Plugins) == 0 { // one plugin's, as Multus has it; libcni takes it for a list that leaves its plugins to a directory
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

// pluginType is what netconfs call the plugin, unless it is installed by another name.
const pluginType = "userspace"
