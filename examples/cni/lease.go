// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// A lease is what IPAM gave an attachment, so that a second ADD hands out the same. The hand-over file tells it,
// too, but the container can write to that: it could name another's address. It is there
// until IPAM has them back: so GC knows of them, whatever the container removes.
type lease struct{ a *Attachment }

func (l lease) file() string { return l.a.Name() + ".json" }

// read gives what IPAM gave; nil: nothing that is known.
func (l lease) read() (*netconf.HandOver, error) {
	root, err := private()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	h := readIn(root, l.file())
	if h != nil && !l.a.is(*h) {
		return nil, nil
	}
	return h, nil
}

func (l lease) write(r *types100.Result) error {
	root, err := private()
	if err != nil {
		return err
	}
	defer root.Close()
	text, err := json.Marshal(l.a.HandOver(r))
	if err != nil {
		return err
	}
	return replace(root, l.file(), text, 0o600)
}

// remove is for one that IPAM has back.
func (l lease) remove() error {
	root, err := private()
	if err != nil {
		return err
	}
	defer root.Close()
	return dropLease(root, l.file())
}

func dropLease(root *os.Root, file string) error {
	step("remove " + file)
	return errors.Join(unlessAbsent(root.Remove(making+file)), unlessAbsent(root.Remove(file)))
}

// freeLeases gives back what IPAM gave to attachments of a network that are not to be kept, and takes away what is left
// of their directories. What IPAM does not take is tried again the next time.
func freeLeases(ctx context.Context, conf *netconf.Conf, p ipam, keep map[string]bool) error {
	root, err := private()
	if err != nil {
		return err
	}
	defer root.Close()
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	files, err := dir.Readdirnames(-1)
	errs := []error{err}
	for _, f := range files {
		file := strings.TrimPrefix(f, making)
		name, is := strings.CutSuffix(file, ".json")
		if !is || !inNetwork(name, conf.Name) || keep[name] {
			continue
		}
		if h := readIn(root, file); h != nil {
			slog.Info("GC", "container", h.ContainerID, "interface", h.IfName, "network", conf.Name)
			a, err := newAttachment(conf, h.ContainerID, h.IfName, "")
			if err == nil {
				err = errors.Join(share{a}.remove(""), p.free(ctx, h.ContainerID, h.IfName))
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
		}
		errs = append(errs, dropLease(root, file))
	}
	return errors.Join(errs...)
}
