// SPDX-License-Identifier: Apache-2.0

package socketpath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// Guarded reports why a directory is no place for sockets: everybody can write to it, or put another one
// in its place, and so be the VM of whichever port he likes. Its owner and group are trusted. What does not
// exist here is no matter: VPP may see other directories.
func Guarded(dir string) error {
	for at, first := path.Clean(dir), true; ; at, first = path.Dir(at), false {
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case info.Mode().Perm()&0o002 == 0:
		case first:
			return fmt.Errorf("directory %s of sockets has mode %04o, so everybody can put sockets there: want one that only VPP's and the VMs' group can write to (chmod o-w)", dir, octal(info.Mode()))
		case info.Mode()&fs.ModeSticky == 0:
			return fmt.Errorf("directory %s, above %s of sockets, has mode %04o, so everybody can put another one in its place (chmod o-w)", at, dir, octal(info.Mode()))
		}
		if at == "/" || at == "." {
			return nil
		}
	}
}

// octal is a mode as chmod has it.
func octal(m fs.FileMode) uint32 {
	out := uint32(m.Perm())
	if m&fs.ModeSticky != 0 {
		out |= 0o1000
	}
	return out
}
