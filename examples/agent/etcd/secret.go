// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// Secret is a text that nobody prints: formatted, logged or encoded it says that it is one. Its zero
// value is none. As a flag it is the file that it stands in, which is read each time it is needed.
type Secret struct {
	read func() (string, error) // a pointer, to who prints what holds one
	file string
}

// NewSecret makes one of a text.
func NewSecret(text string) Secret {
	return Secret{read: func() (string, error) { return text, nil }}
}

// Set makes it the first line of a file that only its owner and group read.
func (s *Secret) Set(file string) error {
	*s = Secret{file: file, read: func() (string, error) { return private(file) }}
	return nil
}

// Type is of a pflag.Value.
func (s Secret) Type() string { return "file" }

// String says where it stands, not what it is.
func (s Secret) String() string {
	switch {
	case s.file != "":
		return s.file
	case s.read != nil:
		return "(secret)"
	}
	return ""
}

// Format does, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText does.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Given says whether there is one.
func (s Secret) Given() bool { return s.read != nil }

// Reveal reads it.
func (s Secret) Reveal() (string, error) {
	if s.read == nil {
		return "", errors.New("there is no password")
	}
	return s.read()
}

// private reads the first line of a file that others cannot.
func private(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return "", fmt.Errorf("password: %s has mode %04o, so everybody can read or write it: chmod 600 it", file, mode)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if line = bytes.TrimRight(line, "\r"); len(line) == 0 {
		return "", fmt.Errorf("password: %s begins with an empty line", file)
	}
	return string(line), nil
}
