// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// volumeLink is before the name of a link from the configuration's directory to a pod's volume with sockets.
// GC, which knows of no pods, finds by it what was handed over there; and so does DEL when nobody else tells.
// The link comes before, and goes after, all else of an attachment.
const volumeLink = ".volume-"

func linkOf(c *netconf.Conf, container, ifName string) string {
	return filepath.Join(base(c), volumeLink+netconf.HandOverFile(short(container), fileName(ifName)))
}

// linked is the volume with an attachment's socket; "": it has none.
func linked(c *netconf.Conf, container, ifName string) string {
	dir, _ := os.Readlink(linkOf(c, container, ifName))
	return dir
}

// link notes where the attachment's directory is, if that is not where all are.
func (a *Attachment) link() error {
	if a.Dir() == filepath.Join(base(a.Conf), short(a.ContainerID)) || linked(a.Conf, a.ContainerID, a.IfName) == a.Dir() {
		return nil
	}
	if err := os.MkdirAll(base(a.Conf), 0o755); err != nil {
		return err
	}
	if err := a.unlink(); err != nil {
		return err
	}
	link := linkOf(a.Conf, a.ContainerID, a.IfName)
	step("link " + link)
	return os.Symlink(a.Dir(), link)
}

func (a *Attachment) unlink() error {
	link := linkOf(a.Conf, a.ContainerID, a.IfName)
	if _, err := os.Readlink(link); err != nil {
		return nil //nolint:nilerr // there is none
	}
	step("unlink " + link)
	return os.Remove(link)
}

// unlinkIdle takes away a link to a volume, if nothing is handed over there any more. What an ADD that was
// killed had begun to make beside it goes along.
func unlinkIdle(link string) error {
	dir, err := os.Readlink(link)
	if err != nil {
		return err
	}
	handedOver := filepath.Join(dir, strings.TrimPrefix(filepath.Base(link), volumeLink))
	if _, err := os.Lstat(handedOver); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(filepath.Dir(dir), making+filepath.Base(dir))); err != nil {
		return err
	}
	return os.Remove(link)
}
