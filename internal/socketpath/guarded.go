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
	real := ways[len(ways)-1]
	for _, at := range slices.Backward(ways) {
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case info.Mode().Perm()&0o002 == 0:
		case at == real:
			return fmt.Errorf("directory %s of sockets has mode %04o, so everybody can put sockets there: want one that only VPP's and the VMs' group can write to (chmod o-w)", dir, octal(info.Mode()))
		case info.Mode()&fs.ModeSticky == 0:
			return fmt.Errorf("directory %s, on the way to %s of sockets, has mode %04o, so everybody can put another one in its place (chmod o-w)", at, dir, octal(info.Mode()))
		}
	}
	return nil
}

// maxLinks is how many links Linux follows.
const maxLinks = 40

// walk lists the directories through which Linux comes to dir, whatever links are on the way; the last is
// where it arrives. What does not exist is no link.
func walk(dir string) ([]string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	at, ways, links := "/", []string{"/"}, 0
	for left := strings.Split(abs, "/"); len(left) > 0; {
		next := path.Join(at, left[0])
		left = left[1:]
		info, err := os.Lstat(next)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil || info.Mode().Type() != fs.ModeSymlink {
			at, ways = next, append(ways, next)
			continue
		}
		to, err := os.Readlink(next)
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
