// SPDX-License-Identifier: Apache-2.0

package socketpath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Guarded reports why a directory is no place for sockets: everybody can write to it, or put another one
// in its place, or in that of a directory that a link on the way leads to, and so be the VM of whichever port
// he likes. Its owner and group are trusted. What does not exist here is no matter: VPP may see other directories.
func Guarded(dir string) error {
	ways, err := walk(dir)
	if err != nil {
		return err
	}
	return guarded(dir, ways)
}

func guarded(dir string, ways []way) error {
	for i, at := range slices.Backward(ways) {
		switch {
		case at.mode.Perm()&0o002 == 0:
		case i == len(ways)-1:
			return fmt.Errorf("directory %s of sockets has mode %04o, so everybody can put sockets there: want one that only VPP's and the VMs' group can write to (chmod o-w)", dir, octal(at.mode))
		case at.mode&fs.ModeSticky == 0:
			return fmt.Errorf("directory %s, on the way to %s of sockets, has mode %04o, so everybody can put another one in its place (chmod o-w)", at.path, dir, octal(at.mode))
		}
	}
	return nil
}

// maxLinks is how many links Linux follows.
const maxLinks = 40

// A way is a directory through which Linux comes to another, and its mode: 0 if it does not exist.
type way struct {
	path string
	mode fs.FileMode
}

// walk lists the directories through which Linux comes to dir, whatever links are on the way; the last is
// where it arrives. What does not exist is no link.
func walk(dir string) ([]way, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	var ways []way
	at, links := "/", 0
	for left := strings.Split(abs, "/"); len(left) > 0; {
		next := way{path: path.Join(at, left[0])}
		left = left[1:]
		switch info, err := os.Lstat(next.path); {
		case err == nil:
			next.mode = info.Mode()
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
		if next.mode.Type() != fs.ModeSymlink {
			at, ways = next.path, append(ways, next)
			continue
		}
		to, err := os.Readlink(next.path)
		if err != nil {
			return nil, err
		}
		if links++; links > maxLinks {
			return nil, fmt.Errorf("directory %s: more than %d symbolic links on the way", dir, maxLinks)
		}
		if path.IsAbs(to) {
			at = "/"
		}
		left = append(strings.Split(to, "/"), left...)
	}
	return ways, nil
}

// octal is a mode as chmod has it.
func octal(m fs.FileMode) uint32 {
	out := uint32(m.Perm())
	if m&fs.ModeSticky != 0 {
		out |= 0o1000
	}
	return out
}
