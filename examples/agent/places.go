// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Where an agent has its files if nobody says so. An ordinary user, for whom nobody made the system's
// directories, has his own.
var (
	defaultPage    = filepath.Join(dirOf("/run/vppkit-agent", os.Getenv("XDG_RUNTIME_DIR")), "agent.sock")
	defaultJournal = filepath.Join(dirOf("/var/lib/vppkit-agent", cmp.Or(os.Getenv("XDG_STATE_HOME"), under(os.Getenv("HOME"), ".local/state"))), "journal")
)

func under(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// dirOf is the system's directory if it is there, or root can make it, or there is no other.
func dirOf(system, own string) string {
	if _, err := os.Stat(system); err == nil || os.Geteuid() == 0 || own == "" {
		return system
	}
	return filepath.Join(own, "vppkit-agent")
}

// makePlace makes the directory of a file, if that is where it is when nobody says so.
func makePlace(file, standard string, mode fs.FileMode) error {
	if file != standard {
		return nil
	}
	err := os.MkdirAll(filepath.Dir(file), mode)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: have root make it (systemd: RuntimeDirectory, StateDirectory), or say another path", err)
	}
	return err
}
