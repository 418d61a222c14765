// SPDX-License-Identifier: Apache-2.0

package signed

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
)

// authorities are who is trusted, as a file says if there is one.
type authorities struct {
	mu     sync.Mutex
	roots  *x509.CertPool
	file   string      // "": none
	state  fs.FileInfo // of it, when it was read
	looked time.Time
}

// OpenCA is NewCA of a file. It is read again when it has changed, a second later at most, and values
// that come then are judged by that; a file that cannot be read leaves it at what it was.
func OpenCA(file, controllers string) (*CA, error) {
	text, state, err := readFile(file)
	if err != nil {
		return nil, err
	}
	c, err := NewCA(text, controllers, nil)
	if err == nil {
		c.file, c.state, c.looked = file, state, time.Now()
	}
	return c, err
}

func readFile(file string) ([]byte, fs.FileInfo, error) {
	state, err := os.Stat(file) // first: what changes after it is another state
	if err != nil {
		return nil, nil, err
	}
	text, err := os.ReadFile(file)
	return text, state, err
}

func pool(text []byte) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate in PEM")
	}
	return roots, nil
}

// trusted is who is trusted now.
func (a *authorities) trusted() *x509.CertPool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == "" || time.Since(a.looked) < time.Second {
		return a.roots
	}
	a.looked = time.Now()
	now, err := os.Stat(a.file)
	if err != nil || now.ModTime().Equal(a.state.ModTime()) && now.Size() == a.state.Size() && os.SameFile(now, a.state) {
		return a.roots
	}
	if text, state, err := readFile(a.file); err == nil {
		if roots, err := pool(text); err == nil {
			a.roots, a.state = roots, state
		}
	}
	return a.roots
}
