// SPDX-License-Identifier: Apache-2.0

// Package socketpath keeps the sockets that VPP is told to make in the directory that they
// belong to: VPP is root, and removes whatever has the name of one.
package socketpath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/vppkit/vppkit/desiredstate"
)

// maxPath is what fits a socket's address in Linux; VPP cuts what is longer.
const maxPath = 107

// Check reports why path cannot be that of a socket, wherever it may lie.
func Check(socket string) error {
	switch {
	case socket == "":
		return errors.New("socket is not set")
	case len(socket) > maxPath:
		return fmt.Errorf("socket %q has %d bytes, want at most %d", socket, len(socket), maxPath)
	case !path.IsAbs(socket), path.Clean(socket) != socket, socket == "/":
		return fmt.Errorf("socket %q: want an absolute path without . or .. or doubled slashes", socket)
	}
	for _, r := range socket {
		if !plain(r) {
			return fmt.Errorf("socket %q contains %q: want letters, digits or ._:@#+=,-", socket, r)
		}
	}
	return nil
}

func plain(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._:@#+=,-", r)
}

// Confine reports why VPP must not be given this socket: it is in none of dirs, by its path
// or by a symbolic link on the way, everybody can write there, a server would remove something that is no socket,
// or a client's is a link.
func Confine(dirs []string, socket string, server bool) error {
	return confine(dirs, socket, server, confineParent)
}

// A Look confines the sockets of one plan after another: for one, which its View tells, it looks at each directory
// once. It is for who confines each socket again before VPP is given it. The zero value is ready.
type Look struct {
	mu   sync.Mutex
	plan weak.Pointer[desiredstate.View] // not to keep all of a plan
	fine map[[2]string]bool              // by directory of all, and of the socket
}

// Confine is Confine.
func (l *Look) Confine(plan *desiredstate.View, dirs []string, socket string, server bool) error {
	return confine(dirs, socket, server, func(dir, socket string) error {
		at := [2]string{dir, path.Dir(socket)}
		l.mu.Lock()
		defer l.mu.Unlock()
		if now := weak.Make(plan); now != l.plan || plan == nil {
			l.plan, l.fine = now, map[[2]string]bool{}
		}
		if l.fine[at] {
			return nil
		}
		err := confineParent(dir, socket)
		l.fine[at] = err == nil
		return err
	})
}

func confine(dirs []string, socket string, server bool, confineParent func(dir, socket string) error) error {
	for _, dir := range dirs {
		if err := Check(dir); err != nil {
			return fmt.Errorf("%w: directory of the sockets: %w", desiredstate.ErrInvalid, err)
		}
	}
	if err := Check(socket); err != nil {
		return fmt.Errorf("%w: %w", desiredstate.ErrInvalid, err)
	}
	if len(dirs) == 0 {
		return fmt.Errorf("%w: socket %s: the kind was given no directory for sockets", desiredstate.ErrInvalid, socket)
	}
	i := slices.IndexFunc(dirs, func(dir string) bool { return within(dir, socket) })
	if i < 0 {
		return fmt.Errorf("%w: socket %s is not in %s", desiredstate.ErrInvalid, socket, strings.Join(dirs, " or "))
	}
	if err := confineParent(dirs[i], socket); err != nil {
		return err
	}
	switch f, err := os.Lstat(socket); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case server && f.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("socket %s: a file that is no socket (%v) is there", socket, f.Mode().Type())
	case f.Mode().Type() == fs.ModeSymlink:
		return fmt.Errorf("%w: socket %s is a symbolic link: name what it leads to", desiredstate.ErrInvalid, socket)
	}
	return nil
}

// confineParent reports whether everybody can write to the socket's directory, or put another in its place, or
// a link leads it, which is below dir by its name, out of dir.
func confineParent(dir, socket string) error {
	parent := path.Dir(socket)
	ways, err := walk(parent)
	if err != nil {
		return err
	}
	if err := guarded(parent, ways); err != nil {
		return err
	}
	arrives := ways[len(ways)-1].path
	if arrives == parent {
		return nil // no link on the way, so none on that to dir
	}
	top, err := walk(dir)
	if err != nil {
		return err
	}
	if real := path.Join(arrives, path.Base(socket)); !within(top[len(top)-1].path, real) {
		return fmt.Errorf("%w: socket %s is not in %s: a symbolic link leads it to %s", desiredstate.ErrInvalid, socket, dir, real)
	}
	return nil
}

// within says whether file is below dir, both clean.
func within(dir, file string) bool { return strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/") }
