// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"

	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/internal/socketpath"
)

// status says whether an ADD could be done.
func status(args *skel.CmdArgs) error {
	conf, err := netconf.Parse(args.StdinData)
	if err != nil {
		return err
	}
	startLog(conf)
	ctx, cancel := context.WithTimeout(context.Background(), limit/2)
	defer cancel()
	if err := ready(ctx, conf); err != nil {
		return types.NewError(types.ErrPluginNotAvailable, "the data plane cannot serve", err.Error())
	}
	if err := cmp.Or(noIPAM(conf), ipamOf(conf, args.StdinData).status(ctx)); err != nil {
		var said *types.Error
		if errors.As(err, &said) && said.Code == types.ErrLimitedConnectivity {
			return said
		}
		return types.NewError(types.ErrPluginNotAvailable, "ipam "+conf.IPAM.Type+" cannot serve", err.Error())
	}
	return nil
}

func ready(ctx context.Context, conf *netconf.Conf) error {
	if err := usable(base(conf)); err != nil {
		return err
	}
	root, err := private()
	if err != nil {
		return err
	}
	_ = root.Close()
	e, err := open(ctx, conf, 0, base(conf))
	if err != nil {
		return err
	}
	defer e.Close()
	return e.ready(ctx)
}

// usable says why no container could have a directory below base.
func usable(base string) error {
	if err := socketpath.Guarded(base); err != nil {
		return err
	}
	for at := base; ; at = filepath.Dir(at) { // what is not there is made
		err := unix.Access(at, unix.W_OK)
		if at == "/" || !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				err = fmt.Errorf("sharedDir %s: nothing can be made in %s: %w", base, at, err)
			}
			return err
		}
	}
}

// gc takes away what belongs to attachments of the network that the runtime does not list. No
// list is not an empty one.
func gc(args *skel.CmdArgs) error {
	conf, err := netconf.Parse(args.StdinData)
	if err != nil {
		return err
	}
	startLog(conf)
	if listed, err := attachmentsListed(args.StdinData); err != nil || !listed {
		return types.NewError(types.ErrInvalidNetworkConfig, "GC needs cni.dev/valid-attachments",
			"without the list of what is to stay, nothing is taken away")
	}
	keep := map[string]bool{}
	for _, v := range conf.ValidAttachments {
		a, err := newAttachment(conf, v.ContainerID, v.IfName, "")
		if err != nil {
			return err
		}
		keep[a.Name()] = true
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	p := ipamOf(conf, args.StdinData)
	dirs := map[string]bool{}
	var swept []string
	var errs []error
	switch sockets, left, err := sweep(ctx, conf, keep); {
	case errors.Is(err, errGone):
	case err != nil:
		return together(left, err) // what may be there keeps its address: the next one would have that together with it
	default:
		errs, swept = append(errs, left), sockets
		for _, s := range sockets {
			dirs[filepath.Dir(s)] = true
		}
	}
	there, err := os.ReadDir(base(conf))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	var links []string
	for _, d := range there {
		path := filepath.Join(base(conf), d.Name())
		switch {
		case strings.HasPrefix(d.Name(), volumeLink) && d.Type() == fs.ModeSymlink:
			links = append(links, path)
			if dir, err := os.Readlink(path); err == nil {
				dirs[dir] = true
			}
		case !d.IsDir():
		case strings.HasPrefix(d.Name(), making): // no ADD is going on while there is a GC
			errs = append(errs, os.RemoveAll(path))
		default:
			dirs[path] = true
		}
	}
	for dir := range dirs {
		errs = append(errs, tidy(ctx, conf, p, dir, keep, swept))
	}
	for _, link := range links {
		errs = append(errs, unlinkIdle(link))
	}
	return together(append(errs, freeLeases(ctx, conf, p, keep), p.gc(ctx))...)
}

// attachmentsListed says whether the runtime gave a list.
func attachmentsListed(stdin []byte) (bool, error) {
	var raw map[string]json.RawMessage
	err := json.Unmarshal(stdin, &raw)
	list := strings.TrimSpace(string(raw["cni.dev/valid-attachments"]))
	return strings.HasPrefix(list, "["), err
}

// sweep takes away the interfaces of the network that are not to be kept, and gives the paths of their sockets. What
// is left of them it says, and notes as kept. It fails if that cannot be told.
func sweep(ctx context.Context, conf *netconf.Conf, keep map[string]bool) (sockets []string, left, err error) {
	e, err := open(ctx, conf, time.Second, base(conf))
	if err != nil {
		return nil, nil, err
	}
	defer e.Close()
	unlock, err := lock(ctx, control(conf))
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	sockets, left = e.Sweep(ctx, conf.Name, keep)
	if left != nil {
		err = e.stays(ctx, conf.Name, keep)
	}
	return sockets, left, err
}

// containerDir is the directory of a container whose ID was drawn at random.
var containerDir = regexp.MustCompile("^[0-9a-f]{12}$")

// tidy takes away what was handed over in a directory to containers that are no more, and their
// addresses. Which socket was whose the data plane tells, where these were swept from.
func tidy(ctx context.Context, conf *netconf.Conf, p ipam, dir string, keep map[string]bool, swept []string) error {
	root, err := openDir(dir)
	if err != nil {
		return nil //nolint:nilerr // it is gone
	}
	defer root.Close()
	files, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range files {
		h := readIn(root, f.Name())
		if h == nil || h.Name != conf.Name {
			continue
		}
		a, err := newAttachment(conf, h.ContainerID, h.IfName, dir)
		if err != nil || keep[a.Name()] || f.Name() != a.HandOverFile() && f.Name() != making+a.HandOverFile() {
			continue
		}
		slog.Info("GC", "container", a.ContainerID, "interface", a.IfName, "network", a.Network)
		err = p.free(ctx, a.ContainerID, a.IfName)
		if err == nil { // or the next GC would not know of the address
			a.Socket = filepath.Join(dir, filepath.Base(h.Config.SocketFile()))
			socket := ""
			if slices.Contains(swept, a.Socket) {
				socket = a.Socket
			}
			err = share{a}.remove(socket)
		}
		errs = append(errs, err)
	}
	if filepath.Dir(dir) == base(conf) && containerDir.MatchString(filepath.Base(dir)) {
		_ = os.Remove(dir) // if it is empty: a DEL was killed that had removed all else
	}
	return errors.Join(errs...)
}
